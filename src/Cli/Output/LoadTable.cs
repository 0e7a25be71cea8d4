using System.Globalization;
using Spectre.Console;
using Weft.Load;
using Weft.Load.Report;
using static System.FormattableString;

namespace Weft.Cli.Output;

/// <summary>Shows a <see cref="LoadReport"/> to people.</summary>
internal static class LoadTable
{
    /// <summary>Writes the table.</summary>
    public static void Write(Terminal terminal, LoadReport report)
    {
        var output = terminal.Out;
        var setup = report.Setup;
        output.WriteLine($"{setup.Model} on {setup.Server}, {(setup.Endpoint == LoadEndpoint.Chat ? "chat" : "completions")}: {Pace(setup)}");
        output.WriteLine($"asked for {setup.PromptTokens} prompt tokens{Prefix(setup)} and {setup.OutputTokens} output tokens");
        output.WriteLine(Outcome(report));
        foreach (var failure in report.Requests.Failures)
            output.WriteLine(Invariant($"  {failure.Count} {failure.Kind}: {failure.First}"));
        output.WriteLine(Rates(report.Throughput));
        var table = new Table().Border(TableBorder.Rounded).AddColumn("milliseconds");
        foreach (var heading in (string[])["mean", "p50", "p90", "p95", "p99", "max"])
            table.AddColumn(new TableColumn(heading).RightAligned());
        Add(table, "time to first token", report.LatencyMilliseconds.TimeToFirstToken);
        Add(table, "time per output token", report.LatencyMilliseconds.TimePerOutputToken);
        Add(table, "between chunks", report.LatencyMilliseconds.InterTokenLatency);
        Add(table, "whole answer", report.LatencyMilliseconds.EndToEnd);
        Add(table, "sent later than due", report.LatencyMilliseconds.GeneratorLag);
        if (table.Rows.Count > 0)
            terminal.Rich.Write(table);
        if (report.Goodput is { } goodput)
            output.WriteLine(Invariant($"goodput: {goodput.Share * 100:F1}% of the requests, {goodput.RequestsPerSecond:F2} requests/s, kept {Limits(goodput)}"));
    }

    private static string Pace(LoadSetup setup) => setup switch
    {
        { Concurrency: { } concurrency } => Invariant($"{concurrency} at a time"),
        { Rate: double.PositiveInfinity } => "all at once",
        _ => Invariant($"{setup.Rate} requests/s, Poisson arrivals"),
    };

    private static string Prefix(LoadSetup setup)
    {
        if (setup.SharedPrefix == 0)
            return "";
        var texts = setup.Prefixes == 1 ? "one common beginning" : Invariant($"{setup.Prefixes} common beginnings");
        return Invariant($" ({setup.SharedPrefix * 100:0.#}% from {texts})");
    }

    private static string Outcome(LoadReport report)
    {
        var requests = report.Requests;
        var unfinished = requests.Unfinished > 0 ? Invariant($", {requests.Unfinished} unfinished") : "";
        var reasons = string.Join(", ", requests.FinishReasons.Select(finish => Invariant($"{finish.Count} {finish.Reason}")));
        var why = reasons.Length > 0 ? $" ({reasons})" : "";
        return Invariant($"{requests.Sent} requests in {report.Throughput.DurationSeconds:F2} s: {requests.Succeeded} ok{why}, {requests.Failed} failed{unfinished}");
    }

    private static string Rates(Throughput throughput)
    {
        var prompt = throughput.PromptTokensPerSecond is { } rate ? Invariant($"{rate:N0} prompt tokens/s, ") : "";
        var unit = throughput.OutputTokensCounted ? "output tokens/s" : "output chunks/s (the server does not count tokens)";
        var perChunk = throughput.OutputTokens > throughput.Chunks ? Invariant($" ({(double)throughput.OutputTokens / throughput.Chunks:F1} a chunk)") : "";
        return Invariant($"{throughput.RequestsPerSecond:F2} requests/s, {prompt}{throughput.OutputTokensPerSecond:N0} {unit}{perChunk}, {throughput.MeanInFlight:F1} requests in flight on average");
    }

    private static string Limits(Goodput goodput) => string.Join(" and ", new[]
    {
        goodput.TimeToFirstTokenMilliseconds is { } first ? Invariant($"{first} ms to the first token") : null,
        goodput.TimePerOutputTokenMilliseconds is { } other ? Invariant($"{other} ms per token after it") : null,
    }.OfType<string>());

    private static void Add(Table table, string name, LatencySummary? times)
    {
        if (times is null)
            return;
        Text Cell(double value) => new(value.ToString(value < 99.995 ? "N2" : value < 999.95 ? "N1" : "N0", CultureInfo.InvariantCulture));
        table.AddRow(new Text(name), Cell(times.Mean), Cell(times.P50), Cell(times.P90), Cell(times.P95), Cell(times.P99), Cell(times.Max));
    }
}
