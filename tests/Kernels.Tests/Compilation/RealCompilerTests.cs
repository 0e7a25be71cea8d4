using System.Globalization;
using Weft.Kernels.Tests.Support;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>The pipeline with NVIDIA's compiler, which needs no GPU. In processes of its own: this one has the software device's.</summary>
[TestFixture]
[Platform("Linux")]
public sealed class RealCompilerTests
{
    private ScratchFolder folder = null!;

    [SetUp]
    public void CreateFolder() => folder = new ScratchFolder();

    [TearDown]
    public void RemoveFolder() => folder.Dispose();

    [TestCase(80)]
    [TestCase(90)]
    public void What_a_model_needs_is_compiled_once(int computeCapability)
    {
        var cold = Compile(computeCapability);
        Assert.That(cold.IsNvrtcLoaded, Is.True);
        Assert.That(cold.Image, Is.EqualTo("cubin"));
        Assert.That(cold.Seconds, Is.LessThan(10));

        var warm = Compile(computeCapability);
        Assert.That(warm.IsNvrtcLoaded, Is.False);
        Assert.That(warm.Seconds, Is.LessThan(0.3));
        TestContext.Out.WriteLine($"cold {cold.Seconds:f2} s, warm {warm.Seconds:f3} s");
    }

    [Test]
    public void A_GPU_that_the_compiler_does_not_know_gets_PTX() => Assert.That(Compile(computeCapability: 990).Image, Is.EqualTo("PTX"));

    private (double Seconds, bool IsNvrtcLoaded, string Image) Compile(int computeCapability)
    {
        using var process = WorkerProcess.StartReal(folder["cubins"], computeCapability);
        var output = process.StandardOutput.ReadToEnd();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode == WorkerProcess.Unavailable)
            Assert.Ignore("there is no libnvrtc on this machine ('weft doctor' says how to get it)");
        Assert.That(process.ExitCode, Is.Zero, output + error);
        var words = output.Split(' ', StringSplitOptions.TrimEntries);
        return (double.Parse(words[0], CultureInfo.InvariantCulture), bool.Parse(words[1]), words[2]);
    }
}
