using System.Text.Json.Serialization;
using Weft.Profile.Documents;

namespace Weft.Profile.Gpu;

/// <summary>What the device does at best, measured in the same run.</summary>
/// <param name="CopyBytesPerSecond">Large copy inside the device, bytes read plus written.</param>
/// <param name="MatrixOperationsPerSecond">Large bf16 product through cuBLAS on random numbers.</param>
/// <param name="LaunchMicroseconds">A kernel that does next to nothing, in a graph of such kernels: what launches cost; 0 on a processor.</param>
public readonly record struct Ceilings(double CopyBytesPerSecond, double MatrixOperationsPerSecond, double LaunchMicroseconds = 0)
{
    /// <summary>Microseconds that work takes at least.</summary>
    public double Floor(double bytes, double operations) => Math.Max(bytes / CopyBytesPerSecond, operations / MatrixOperationsPerSecond) * 1e6;
}

/// <summary>Work that PyTorch can do too: product [N, M, K], norm [rows, width], decode and prefill [batch, positions, H, G, D].</summary>
/// <param name="Kind">Which.</param>
/// <param name="Sizes">How large.</param>
public sealed record PeerWork(string Kind, params IReadOnlyList<int> Sizes);

/// <summary>One timed kernel at one shape.</summary>
/// <param name="Kernel">Instance or product.</param>
/// <param name="Shape">Sizes, for people.</param>
/// <param name="Work">For PyTorch; null when it has no counterpart.</param>
/// <param name="Microseconds">Median of a launch.</param>
/// <param name="Fastest">Fastest launch, microseconds.</param>
/// <param name="Slowest">Slowest launch, microseconds.</param>
/// <param name="Samples">All repetitions.</param>
/// <param name="Bytes">Fewest bytes of device memory that it must move.</param>
/// <param name="Operations">Floating-point operations that it must do.</param>
/// <param name="Floor">Microseconds that the ceilings of the same run allow at best.</param>
public sealed record GpuRow(
    string Kernel, string Shape, PeerWork? Work, double Microseconds, double Fastest, double Slowest, IReadOnlyList<double> Samples, double Bytes,
    double Operations, double Floor)
{
    /// <summary>Share of the ceiling that is reached.</summary>
    public double Fraction => Floor / Microseconds;

    /// <summary>Median of PyTorch for the same work, microseconds; null where it is not installed.</summary>
    public double? PyTorch { get; init; }
}

/// <summary>One timed step of a whole model of random weights.</summary>
/// <param name="Model">Whose shapes.</param>
/// <param name="What">prefill or decode.</param>
/// <param name="Batch">Sequences.</param>
/// <param name="Context">Prompt of each, tokens.</param>
/// <param name="TokensPerSecond">Of all sequences.</param>
/// <param name="Microseconds">Median of a step.</param>
/// <param name="Fastest">Fastest, microseconds.</param>
/// <param name="Slowest">Slowest, microseconds.</param>
/// <param name="Samples">All repetitions.</param>
/// <param name="Host">Microseconds that the host takes to submit a step.</param>
/// <param name="Launches">Kernels and products of a step.</param>
/// <param name="GapShare">Part of a step that launches alone take: their number times an empty one.</param>
/// <param name="Bytes">Weights and cache that it must read.</param>
/// <param name="Operations">Floating-point operations that it must do.</param>
/// <param name="Floor">Microseconds that the ceilings of the same run allow at best.</param>
public sealed record ModelRow(
    string Model, string What, int Batch, int Context, double TokensPerSecond, double Microseconds, double Fastest, double Slowest,
    IReadOnlyList<double> Samples, double Host, int Launches, double GapShare, double Bytes, double Operations, double Floor)
{
    /// <summary>Share of the ceiling that is reached.</summary>
    public double Fraction => Floor / Microseconds;
}

/// <summary>How a check of correctness ended.</summary>
public enum CheckOutcome
{
    /// <summary>Right.</summary>
    Passed,

    /// <summary>Wrong, or it did not run to its end.</summary>
    Failed,

    /// <summary>Not run; the summary says why.</summary>
    Skipped,
}

/// <summary>One check of correctness.</summary>
/// <param name="Name">What was checked.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="Summary">Its last words.</param>
public sealed record CheckRow(string Name, CheckOutcome Outcome, double Seconds, string Summary);

/// <summary>What <c>weft profile gpu</c> found.</summary>
/// <param name="Device">The GPU.</param>
/// <param name="ComputeCapability">90 for 9.0.</param>
/// <param name="Driver">CUDA version of the driver.</param>
/// <param name="Clocks">While nothing runs before the timings, and right after them.</param>
/// <param name="Ceilings">Of this run.</param>
/// <param name="Checks">Correctness, which comes first.</param>
/// <param name="Rows">Kernels.</param>
/// <param name="Models">Whole models.</param>
/// <param name="Choices">What loading the models measured, a line each.</param>
/// <param name="PyTorch">Version of PyTorch beside it, or why there is none.</param>
/// <param name="Seconds">Of the whole run.</param>
public sealed record GpuReport(
    string Device, int ComputeCapability, string Driver, string Clocks, Ceilings Ceilings, IReadOnlyList<CheckRow> Checks, IReadOnlyList<GpuRow> Rows,
    IReadOnlyList<ModelRow> Models, IReadOnlyList<string> Choices, string PyTorch, double Seconds)
{
    /// <summary>No check failed.</summary>
    public bool Passed => Checks.All(check => check.Outcome != CheckOutcome.Failed);

    /// <summary>The figures, for later comparison.</summary>
    internal ProfileDocument Document() => ProfileDocument.Of(
        "gpu", [("device", Device), ("driver", Driver)],
        [
            new("ceilings", "", "of the same run", Device, new SortedDictionary<string, double>
            {
                ["copy_bytes_per_second"] = Ceilings.CopyBytesPerSecond,
                ["launch_us"] = Ceilings.LaunchMicroseconds,
                ["matrix_operations_per_second"] = Ceilings.MatrixOperationsPerSecond,
            }),
            .. Checks.Select(check => new ProfileRow("check", check.Summary, check.Name, Device, new SortedDictionary<string, double>
            {
                ["check_failed"] = check.Outcome == CheckOutcome.Failed ? 1 : 0,
                ["check_skipped"] = check.Outcome == CheckOutcome.Skipped ? 1 : 0,
            })),
            .. Rows.Select(row => new ProfileRow(row.Kernel, "", row.Shape, Device, Metrics(
                ("bytes", row.Bytes), ("operations", row.Operations), ("time_us", row.Microseconds), ("roofline_fraction", row.Fraction), ("peer_us", row.PyTorch ?? 0)), Times(row.Samples))),
            .. Models.Select(row => new ProfileRow($"{row.What} {row.Model}", "", $"batch {row.Batch}, context {row.Context}", Device, Metrics(
                ("bytes", row.Bytes), ("operations", row.Operations), ("time_us", row.Microseconds), ("roofline_fraction", row.Fraction), ("host_us", row.Host),
                ("launches", row.Launches), ("gap_share", row.GapShare)), Times(row.Samples))),
        ]);

    private static SortedDictionary<string, double> Metrics(params IEnumerable<(string Name, double Value)> metrics) =>
        new(metrics.Where(metric => metric.Value != 0).ToDictionary(metric => metric.Name, metric => Math.Round(metric.Value, 4)));

    private static Dictionary<string, double[]> Times(IReadOnlyList<double> samples) => new() { ["time_us"] = [.. samples.Select(sample => Math.Round(sample, 3))] };
}

/// <summary>Serialises reports without reflection.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true)]
[JsonSerializable(typeof(List<PeerWork>))]
[JsonSerializable(typeof(PeerAnswer))]
internal sealed partial class GpuJson : JsonSerializerContext;
