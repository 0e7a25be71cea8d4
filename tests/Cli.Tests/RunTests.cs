using Weft.Cli.Verbs;
using Weft.Models;

namespace Weft.Cli.Tests;

/// <summary><c>weft run</c> on the demo model.</summary>
[TestFixture]
public sealed class RunTests
{
    private const string Prompt = "ROMEO:\nWhat light is this";

    [Test]
    public void The_prompt_may_come_from_the_argument_a_file_or_standard_input()
    {
        var file = TestModels.NewPath(".txt");
        File.WriteAllText(file, Prompt + "\n");
        string[] options = ["--greedy", "--max-tokens", "16"];
        var argument = WeftProcess.Run(["run", TestModels.Packed, Prompt, .. options]);
        Assert.That(argument.ExitCode, Is.Zero, argument.ToString());
        Assert.That(argument.Out.Trim(), Is.Not.Empty);
        Assert.That(argument.Error, Is.Empty);
        Assert.That(WeftProcess.Run(["run", TestModels.Packed, "--file", file, .. options]), Is.EqualTo(argument));
        Assert.That(WeftProcess.Run(["run", TestModels.Packed, "-", .. options], Prompt + "\n"), Is.EqualTo(argument));
    }

    [Test]
    public void A_seed_fixes_the_draw()
    {
        Outcome Draw(string seed) => WeftProcess.Run("run", TestModels.Packed, Prompt, "-n", "24", "--temperature", "1", "--seed", seed);
        var first = Draw("7");
        Assert.That(first.ExitCode, Is.Zero, first.ToString());
        Assert.That(Draw("7"), Is.EqualTo(first));
        Assert.That(Draw("8").Out, Is.Not.EqualTo(first.Out));
    }

    [Test]
    public void The_number_of_tokens_is_limited_and_told()
    {
        var outcome = WeftProcess.Run("run", TestModels.Packed, Prompt, "--greedy", "-n", "5", "--stats");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Error, Does.Contain("4 more in").And.Contain("ended by length"));
    }

    [Test]
    public void Text_ends_before_a_stop_string()
    {
        var full = WeftProcess.Run("run", TestModels.Packed, Prompt, "--greedy", "-n", "24").Out.TrimEnd('\n');
        var stop = full.Substring(full.Length / 2, 3);
        var outcome = WeftProcess.Run("run", TestModels.Packed, Prompt, "--greedy", "-n", "24", "--stop", "@@@", "--stop", stop);
        Assert.That(outcome.Out.TrimEnd('\n'), Is.EqualTo(full[..full.IndexOf(stop, StringComparison.Ordinal)].TrimEnd('\n')));
    }

    [Test]
    public async Task Text_arrives_before_the_run_ends()
    {
        using var process = WeftProcess.Start(["run", TestModels.Packed, Prompt, "--temperature", "1", "--seed", "3", "-n", "200"]);
        process.StandardInput.Close();
        var buffer = new char[1];
        Assert.That(await process.StandardOutput.ReadAsync(buffer), Is.EqualTo(1));
        // What follows the first character is many writes: a run that did not stream would have written all at once and ended.
        var first = DateTime.UtcNow;
        await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.That(process.ExitCode, Is.Zero);
        Assert.That(DateTime.UtcNow - first, Is.GreaterThan(TimeSpan.FromMilliseconds(20)));
    }

    [Test]
    public void A_prompt_longer_than_the_context_is_refused()
    {
        var outcome = WeftProcess.Run(["run", TestModels.Packed, "-"], string.Concat(Enumerable.Repeat("word ", 600)));
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(outcome.Error, Does.Match(@"\Aweft: [^\n]+\n\z"));
    }

    [Test]
    public void The_checkpoint_recommends_and_the_user_decides()
    {
        var checkpoint = new GenerationDefaults { Temperature = 0.8f, TopP = 0.95f, TopK = 40, RepetitionPenalty = 1.1f };
        var recommended = new RunVerb().Sampling(checkpoint);
        Assert.That(
            (recommended.Temperature, recommended.TopP, recommended.TopK, recommended.RepetitionPenalty), Is.EqualTo((0.8f, 0.95f, 40, 1.1f)));
        var own = new RunVerb { Temperature = 0.5f, TopP = 1, TopK = 0, RepeatPenalty = 1, Seed = 3 }.Sampling(checkpoint);
        Assert.That((own.Temperature, own.TopP, own.TopK, own.RepetitionPenalty, own.Seed), Is.EqualTo((0.5f, 1f, 0, 1f, 3UL)));
        Assert.That(new RunVerb { Greedy = true }.Sampling(checkpoint), Is.EqualTo(new Sampling.SamplingOptions()));
        Assert.That(new RunVerb().Sampling(new GenerationDefaults()), Is.EqualTo(new Sampling.SamplingOptions()), "greedy when nothing is said");
    }
}
