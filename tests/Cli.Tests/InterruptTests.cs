using System.Diagnostics;

namespace Weft.Cli.Tests;

/// <summary>Ctrl-C: exit code 130, nothing half-written.</summary>
[TestFixture]
[Platform(Exclude = "Win", Reason = "signals are sent with kill")]
public sealed class InterruptTests
{
    [Test]
    public async Task Run_stops()
    {
        using var process = WeftProcess.Start(["run", Endless(), "ROMEO:", "--temperature", "1", "-n", "100000"]);
        process.StandardInput.Close();
        await process.StandardOutput.ReadAsync(new char[1]);
        Stops(process);
    }

    [Test]
    public async Task Waiting_for_standard_input_stops()
    {
        using var process = WeftProcess.Start(["run", TestModels.Packed, "-"]);
        await Task.Delay(TimeSpan.FromSeconds(1));
        Stops(process);
    }

    [Test]
    public async Task Bench_stops()
    {
        using var process = WeftProcess.Start(["bench", TestModels.Packed, "--repeat", "100000"]);
        process.StandardInput.Close();
        await Task.Delay(TimeSpan.FromSeconds(2));
        Assert.That(Stops(process).Out, Is.Empty);
    }

    [Test]
    public async Task Convert_stops_and_leaves_no_file()
    {
        var (checkpoint, folder) = (TestModels.NewPath(), TestModels.NewPath());
        Directory.CreateDirectory(folder);
        BigCheckpoint.Create(checkpoint);
        using var process = WeftProcess.Start(["convert", checkpoint, "-o", Path.Combine(folder, "big.weft")]);
        process.StandardInput.Close();
        var waiting = Stopwatch.StartNew();
        while (Directory.GetFiles(folder).Length == 0 && !process.HasExited && waiting.Elapsed < TimeSpan.FromSeconds(20))
            await Task.Delay(5);
        Stops(process);
        Assert.That(Directory.GetFiles(folder), Is.Empty);
        Directory.Delete(checkpoint, recursive: true);
    }

    /// <summary>The demo model with a context that takes minutes to fill, and for its end a token that it never writes.</summary>
    internal static string Endless()
    {
        var folder = TestModels.NewPath();
        Directory.CreateDirectory(folder);
        foreach (var file in (string[])["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
            File.Copy(Path.Combine(WeftProcess.Bard, file), Path.Combine(folder, file));
        foreach (var file in (string[])["config.json", "generation_config.json"])
        {
            var path = Path.Combine(folder, file);
            File.WriteAllText(path, File.ReadAllText(path)
                .Replace("\"eos_token_id\": 1", "\"eos_token_id\": 0", StringComparison.Ordinal)
                .Replace("\"max_position_embeddings\": 256", "\"max_position_embeddings\": 100000", StringComparison.Ordinal));
        }

        return folder;
    }

    private static Outcome Stops(Process process)
    {
        WeftProcess.Interrupt(process);
        var outcome = WeftProcess.Finish(process);
        Assert.That(outcome.ExitCode, Is.EqualTo(130), outcome.ToString());
        Assert.That(outcome.Error, Does.Not.Contain("   at "));
        return outcome;
    }
}
