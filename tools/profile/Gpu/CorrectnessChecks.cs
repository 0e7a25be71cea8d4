using System.Diagnostics;

namespace Weft.Profile.Gpu;

/// <summary>
/// What must be right before anything is timed: every kernel against its reference, by the program of the kernel tests; and reference
/// checkpoints, by <c>weft verify</c>. Each in a process of its own, so that a lost device fails one check and not the run.
/// </summary>
internal sealed class CorrectnessChecks(string device, Action<string> note, CancellationToken cancellationToken)
{
    /// <summary>Name of the kernel tests, published as a program.</summary>
    public const string KernelTests = "Weft.Kernels.Tests";

    private readonly List<CheckRow> rows = [];

    /// <summary>Runs all.</summary>
    /// <param name="tests">The program of the kernel tests; null takes the one beside this program, if there is one.</param>
    /// <param name="goldens">Folder of checkpoints with their expected.safetensors, or null.</param>
    public IReadOnlyList<CheckRow> Run(string? tests, string? goldens)
    {
        var beside = Path.Combine(AppContext.BaseDirectory, KernelTests);
        if (tests is null && !File.Exists(beside))
            Skip("kernels", $"there is no {KernelTests} beside this program: --tests names it");
        else
            Check("kernels", tests ?? beside, [], Counts);
        if (goldens is null)
            Skip("checkpoints", "--goldens names no folder of them");
        else
            Verify(goldens);
        return rows;
    }

    private void Verify(string goldens)
    {
        if (!Directory.Exists(goldens))
            throw new WeftException($"there is no folder '{goldens}'");
        var folders = Directory.GetDirectories(goldens).Where(folder => File.Exists(Path.Combine(folder, "expected.safetensors"))).Order().ToList();
        if (folders.Count == 0)
            throw new WeftException($"no folder in '{goldens}' has an expected.safetensors");
        var (program, first) = ChildProgram.Self;
        foreach (var folder in folders)
        {
            foreach (var type in (string[])["bf16", "f16"])
                Check($"{Path.GetFileName(folder)} {type}", program, [.. first, "verify", folder, "--device", device, "--activations", type], Errors);
        }
    }

    private void Skip(string name, string reason)
    {
        note($"skipped: {name}: {reason}");
        rows.Add(new(name, CheckOutcome.Skipped, 0, reason));
    }

    private void Check(string name, string program, IReadOnlyList<string> arguments, Func<string, (bool IsWhole, string Summary)> summarize)
    {
        note($"checking {name}");
        var start = Stopwatch.GetTimestamp();
        var (exitCode, output) = ChildProgram.Run(program, arguments, [("WEFT_DEVICE", device)], cancellationToken);
        var (isWhole, summary) = summarize(output);
        var row = new CheckRow(
            name, exitCode == 0 && isWhole ? CheckOutcome.Passed : CheckOutcome.Failed, Stopwatch.GetElapsedTime(start).TotalSeconds, summary);
        rows.Add(row);
        if (row.Outcome == CheckOutcome.Failed)
            note($"failed: {name}: {output}");
    }

    /// <summary>The counts at the end of a test run. One in which everything was skipped has shown nothing.</summary>
    private static (bool IsWhole, string Summary) Counts(string output)
    {
        var counts = new List<string>();
        foreach (var name in (string[])["succeeded", "failed", "skipped"])
        {
            var line = output.Split('\n').Select(line => line.Trim()).LastOrDefault(line => line.StartsWith(name + ": ", StringComparison.Ordinal));
            if (line is null)
                return (false, "it ended without saying how many tests passed");
            counts.Add($"{line[(name.Length + 2)..]} {name}");
        }

        return (!counts[0].StartsWith("0 ", StringComparison.Ordinal), string.Join(", ", counts));
    }

    private static (bool IsWhole, string Summary) Errors(string output) =>
        (true, output.Split('\n').Select(line => line.Trim()).FirstOrDefault(line => line.Contains("RMS", StringComparison.Ordinal)) ?? output.Trim());
}
