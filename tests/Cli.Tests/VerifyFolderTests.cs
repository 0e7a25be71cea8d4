using System.Text.Json;

namespace Weft.Cli.Tests;

/// <summary><c>weft verify</c> of a folder of checkpoints: one that passes, one that does not, one that is not supported.</summary>
[TestFixture]
public sealed class VerifyFolderTests
{
    [Test]
    public void Every_checkpoint_has_a_row()
    {
        var folder = TestModels.NewPath();
        Copy(Path.Combine(folder, "a-good"), config => config);
        Copy(Path.Combine(folder, "b-wrong"), config => config.Replace("\"rope_theta\": 10000", "\"rope_theta\": 20000", StringComparison.Ordinal));
        Copy(Path.Combine(folder, "c-unknown"), config => config.Replace("LlamaForCausalLM", "BananaForCausalLM", StringComparison.Ordinal));
        Directory.CreateDirectory(Path.Combine(folder, "not-a-checkpoint"));

        var outcome = WeftProcess.Run("verify", folder, "--device", "cpu");
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        var lines = outcome.Out.TrimEnd('\n').Split('\n');
        Assert.That(lines, Has.Length.EqualTo(6), outcome.ToString());
        Assert.That(lines[0], Does.Match("^checkpoint +cpu: RMS, greedy$"));
        Assert.That(lines[1], Does.Match(@"^a-good +\d\.\de-\d  48/48$"));
        Assert.That(lines[2], Does.Match(@"^b-wrong +\d\.\de[+-]\d  \d+/48  FAIL$"));
        Assert.That(lines[3], Does.Match("^c-unknown +refused$"));
        Assert.That(lines[4], Does.StartWith("c-unknown (cpu): ").And.Contain("BananaForCausalLM"));
        Assert.That(lines[5], Is.EqualTo("cpu: 1 pass, 1 fail, 1 refused"));
    }

    [Test]
    public void A_refusal_fails_nothing_and_is_in_the_JSON()
    {
        var folder = TestModels.NewPath();
        Copy(Path.Combine(folder, "good"), config => config);
        Copy(Path.Combine(folder, "unknown"), config => config.Replace("LlamaForCausalLM", "BananaForCausalLM", StringComparison.Ordinal));
        var outcome = WeftProcess.Run("verify", folder, "--device", "cpu", "--json");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        using var json = JsonDocument.Parse(outcome.Out);
        Assert.That(json.RootElement.EnumerateArray().Select(row => row.GetProperty("checkpoint").GetString()), Is.EqualTo(new[] { "good", "unknown" }));
        Assert.That(json.RootElement[0].GetProperty("report").GetProperty("pass").GetBoolean(), Is.True);
        Assert.That(json.RootElement[1].GetProperty("refusal").GetString(), Does.Contain("BananaForCausalLM"));
    }

    private static void Copy(string folder, Func<string, string> change)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.EnumerateFiles(WeftProcess.Bard))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        var config = Path.Combine(folder, "config.json");
        var (before, after) = (File.ReadAllText(config), change(File.ReadAllText(config)));
        Assert.That(after != before || folder.Contains("good", StringComparison.Ordinal), "the change has no effect");
        File.WriteAllText(config, after);
    }
}
