using System.Globalization;
using Weft.Cli.Output;
using Weft.Cli.Storage;

namespace Weft.Cli.Verbs;

/// <summary><c>weft verify</c> of a folder of checkpoints: one table, a row for each of them, as they are done.</summary>
internal static class VerifyFolder
{
    private const int CellWidth = 24;

    /// <summary>The checkpoints inside that have expected outputs, folders and GGUF files, in order; none when <paramref name="path"/> is a model itself.</summary>
    public static IReadOnlyList<string> Checkpoints(string path) => Directory.Exists(path) && !File.Exists(Path.Combine(path, "config.json"))
        ? [.. Directory.EnumerateDirectories(path).Order(StringComparer.Ordinal).Prepend(path)
            .Where(folder => File.Exists(Path.Combine(folder, ExpectedOutputs.FileName))).SelectMany(Models)]
        : [];

    /// <summary>Verifies each on each device. What cannot be run is listed with the reason, and fails nothing.</summary>
    public static int Run(
        Session session, IReadOnlyList<string> models, IReadOnlyList<string> devices, bool json, Func<Session, string, string, VerifyReport> verify)
    {
        var (output, rows) = (session.Terminal.Out, new List<VerifyRow>());
        var width = models.Max(model => Path.GetFileName(model).Length) + 2;
        if (!json)
            output.WriteLine("checkpoint".PadRight(width) + string.Concat(devices.Select(device => $"{device}: RMS, greedy".PadRight(CellWidth))).TrimEnd());
        foreach (var model in models)
        {
            var own = devices.Select(device => Row(session, model, device, verify)).ToList();
            rows.AddRange(own);
            if (!json)
                output.WriteLine(Path.GetFileName(model).PadRight(width) + string.Concat(own.Select(row => Cell(row).PadRight(CellWidth))).TrimEnd());
        }

        if (json)
            output.WriteJson(rows, CliJson.Default.IReadOnlyListVerifyRow);
        else
            WriteEnd(output, rows);
        return rows.Any(row => row.Report is { Pass: false }) ? ExitCodes.Failure : ExitCodes.Success;
    }

    /// <summary>The models of a folder with expected outputs: its GGUF files, or itself.</summary>
    private static IEnumerable<string> Models(string folder) =>
        Directory.GetFiles(folder, "*" + Checkpoint.FileEnd) is { Length: > 0 } files && !File.Exists(Path.Combine(folder, "config.json")) ? files.Order(StringComparer.Ordinal) : [folder];

    private static VerifyRow Row(Session session, string model, string device, Func<Session, string, string, VerifyReport> verify)
    {
        var name = Path.GetFileName(model);
        try
        {
            return new(name, device, verify(session, model, device), null);
        }
        catch (WeftException refusal)
        {
            return new(name, device, null, refusal.Message);
        }
    }

    private static string Cell(VerifyRow row) => row.Report is { } report
        ? string.Create(
            CultureInfo.InvariantCulture,
            $"{Math.Max(report.RelativeRms, report.GreedyRelativeRms):0.0e+0}  {(report.GreedyTokens == 0 ? "–" : $"{report.GreedyMatched}/{report.GreedyTokens}")}{(report.Pass ? "" : "  FAIL")}")
        : "refused";

    private static void WriteEnd(TextWriter output, List<VerifyRow> rows)
    {
        foreach (var refusal in rows.Where(row => row.Refusal is not null).GroupBy(row => (row.Checkpoint, row.Refusal)))
            output.WriteLine($"{refusal.Key.Checkpoint} ({string.Join(", ", refusal.Select(row => row.Device))}): {refusal.Key.Refusal}");
        foreach (var device in rows.GroupBy(row => row.Device))
        {
            output.WriteLine(
                $"{device.Key}: {device.Count(row => row.Report is { Pass: true })} pass, {device.Count(row => row.Report is { Pass: false })} fail, "
                + $"{device.Count(row => row.Report is null)} refused");
        }
    }
}
