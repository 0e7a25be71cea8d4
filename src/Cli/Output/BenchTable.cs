using System.Globalization;
using Spectre.Console;
using Weft.Cli.Probes;

namespace Weft.Cli.Output;

/// <summary>Shows a <see cref="BenchReport"/> to people.</summary>
internal static class BenchTable
{
    /// <summary>Weights below this may stay in a last-level cache from one step to the next.</summary>
    private const long CacheSized = 64_000_000;

    /// <summary>Writes the table.</summary>
    public static void Write(Terminal terminal, BenchReport report)
    {
        var output = terminal.Out;
        output.WriteLine($"{report.Model} on {report.Device}, cache {report.Cache}, {report.Repeat} repetitions");
        output.WriteLine(
            $"a token reads {Units.Bytes(report.WeightBytesPerToken)} of weights and takes {Units.Count(report.MatrixOperationsPerToken)} matrix operations");
        foreach (var choice in report.MeasuredChoices)
            output.WriteLine($"measured when loading: {choice}");
        var table = new Table().Border(TableBorder.Rounded).AddColumn("");
        foreach (var heading in (string[])["median", "min", "max", "unit"])
            table.AddColumn(new TableColumn(heading).RightAligned());
        Add(table, $"prefill {report.PrefillTokens}", report.PrefillTokensPerSecond, "tokens/s");
        Add(table, "", report.PrefillGflops, "GFLOP/s");
        Add(table, $"decode {report.DecodeTokens}", report.DecodeTokensPerSecond, "tokens/s");
        Add(table, "", report.DecodeGigabytesPerSecond, "GB/s");
        Add(table, $"memory read, {report.Threads} threads", report.ReadGigabytesPerSecond, "GB/s");
        Add(table, $"multiply-add, {report.Threads} threads", report.FusedMultiplyAddGflops, "GFLOP/s");
        terminal.Rich.Write(table);
        string Percent(Spread fraction) => string.Create(
            CultureInfo.InvariantCulture, $"{fraction.Median * 100:F0}% ({fraction.Min * 100:F0}–{fraction.Max * 100:F0})");
        output.WriteLine($"prefill reaches {Percent(report.PrefillFraction)} of the multiply-add rate, decode {Percent(report.DecodeFraction)} of the memory bandwidth;");
        output.WriteLine("each repetition against the better of the probes right before and after it: median (min–max)");
        if (report.WeightBytesPerToken < CacheSized)
            output.WriteLine("(weights this small stay in the processor's cache: decode is not bound by memory)");
    }

    private static void Add(Table table, string name, Spread spread, string unit)
    {
        string Cell(double value) => value.ToString(value < 1000 ? "N1" : "N0", CultureInfo.InvariantCulture);
        table.AddRow(new Text(name), new Text(Cell(spread.Median)), new Text(Cell(spread.Min)), new Text(Cell(spread.Max)), new Text(unit));
    }
}
