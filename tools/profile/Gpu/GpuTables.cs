using System.Globalization;
using System.Text;
using Spectre.Console;

namespace Weft.Profile.Gpu;

/// <summary>A report as tables: on a console, and as Markdown.</summary>
internal static class GpuTables
{
    private static readonly string[] CheckColumns = ["check", "outcome", "s", "summary"];
    private static readonly string[] KernelColumns = ["kernel", "shape", "µs", "min–max", "GB/s", "TFLOP/s", "of ceiling", "PyTorch µs", "× PyTorch"];
    private static readonly string[] ProductColumns = ["product with 4-bit weights", "kernel", "µs", "× cuBLAS bf16", "weights GB/s", "of copy rate"];
    private static readonly string[] ChoiceColumns = ["measured when a model was loaded"];
    private static readonly string[] ModelColumns =
        ["model", "step", "batch", "context", "tokens/s", "µs", "min–max", "host µs", "launches", "gaps", "GB/s", "TFLOP/s", "of ceiling"];

    /// <summary>Writes all tables.</summary>
    public static void Write(IAnsiConsole console, GpuReport report)
    {
        foreach (var (columns, rows) in Tables(report))
        {
            var table = new Table().Border(TableBorder.Simple).AddColumns(columns);
            foreach (var row in rows)
                table.AddRow([.. row.Select(Markup.Escape)]);
            console.Write(table);
        }

        console.WriteLine(Summary(report));
    }

    /// <summary>All tables for a page.</summary>
    public static string Markdown(GpuReport report)
    {
        var text = new StringBuilder().Append(Summary(report)).Append('\n');
        foreach (var (columns, rows) in Tables(report))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n| {string.Join(" | ", columns)} |\n|{string.Concat(columns.Select(_ => "---|"))}\n");
            foreach (var row in rows)
                text.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", row.Select(cell => cell.Replace('|', '/')))} |\n");
        }

        return text.ToString();
    }

    private static string Summary(GpuReport report) => string.Create(
        CultureInfo.InvariantCulture,
        $"{report.Device}, driver for CUDA {report.Driver}: copy {report.Ceilings.CopyBytesPerSecond / 1e9:F0} GB/s, bf16 product " +
        $"{report.Ceilings.MatrixOperationsPerSecond / 1e12:F1} TFLOP/s, an empty launch {report.Ceilings.LaunchMicroseconds:F1} µs; clocks {report.Clocks}; {report.PyTorch}; {report.Seconds:F0} s in all");

    private static IEnumerable<(string[] Columns, IEnumerable<string[]> Rows)> Tables(GpuReport report) =>
    [
        (CheckColumns, report.Checks.Select(row => (string[])[row.Name, row.Outcome.ToString().ToLowerInvariant(), Text(row.Seconds, "F1"), row.Summary])),
        (KernelColumns, report.Rows.Select(row => (string[])
        [
            row.Kernel, row.Shape, Text(row.Microseconds, "F1"), Range(row.Fastest, row.Slowest), Text(row.Bytes / row.Microseconds / 1e3, "F0"),
            Text(row.Operations / row.Microseconds / 1e6, "F1"), Text(row.Fraction, "P0"), row.PyTorch is > 0 ? Text(row.PyTorch.Value, "F1") : "",
            row.PyTorch is > 0 ? Text(row.PyTorch.Value / row.Microseconds, "F2") : "",
        ])),
        (ProductColumns, Products(report)),
        (ModelColumns, report.Models.Select(row => (string[])
        [
            row.Model, row.What, Text(row.Batch, "F0"), Text(row.Context, "F0"), Text(row.TokensPerSecond, "N0"), Text(row.Microseconds, "F0"),
            Range(row.Fastest, row.Slowest), Text(row.Host, "F1"), Text(row.Launches, "F0"), Text(row.GapShare, "P1"), Text(row.Bytes / row.Microseconds / 1e3, "F0"),
            Text(row.Operations / row.Microseconds / 1e6, "F1"), Text(row.Fraction, "P0"),
        ])),
        (ChoiceColumns, report.Choices.Select(choice => (string[])[choice])),
    ];

    /// <summary>Every way of a product beside cuBLAS in 16 bits at the same shape.</summary>
    private static IEnumerable<string[]> Products(GpuReport report)
    {
        const string Blas = "cuBLAS";
        var dense = report.Rows.Where(row => row.Kernel == Blas).ToDictionary(row => row.Shape);
        return
            from row in report.Rows
            let product = row.Shape.Split(',')[0]
            where row.Kernel != Blas && row.Kernel.Contains("int4", StringComparison.Ordinal) && dense.ContainsKey(product)
            let rate = row.Bytes / row.Microseconds * 1e6
            select (string[])
            [
                product, row.Kernel, Text(row.Microseconds, "F1"), Text(dense[product].Microseconds / row.Microseconds, "F2"), Text(rate / 1e9, "F0"),
                Text(rate / report.Ceilings.CopyBytesPerSecond, "P0"),
            ];
    }

    private static string Range(double low, double high) => $"{Text(low, "F1")}–{Text(high, "F1")}";

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
