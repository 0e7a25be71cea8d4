namespace Weft.Cli.Tests;

/// <summary>Adapters' folders in place of a checkpoint's.</summary>
[TestFixture]
public sealed class AdapterTests
{
    [Test]
    public void Adapters_verify([Values("lora-adapter", "prompt-tuning-adapter", "prefix-tuning-adapter")] string name, [Values("cpu", "sim")] string device)
    {
        if (device == "sim")
            Require.Simulator();
        var golden = Require.Golden(name);
        var outcome = WeftProcess.Run("verify", golden, "--expected", Path.Combine(golden, "expected.safetensors"), "--device", device);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Out, Does.Contain("PASS"));
    }
}
