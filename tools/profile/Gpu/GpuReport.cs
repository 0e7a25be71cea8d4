using System.Text.Json.Serialization;

namespace Weft.Profile.Gpu;

/// <summary>One timed kernel at one shape.</summary>
/// <param name="Kernel">Instance or product.</param>
/// <param name="Shape">Sizes, for people.</param>
/// <param name="Microseconds">Median of a launch.</param>
/// <param name="Fastest">Fastest launch, microseconds.</param>
/// <param name="Slowest">Slowest launch, microseconds.</param>
/// <param name="Bytes">Fewest bytes of device memory that it must move.</param>
/// <param name="Operations">Floating-point operations that it must do.</param>
/// <param name="Floor">Microseconds that the ceilings of the same run allow at best.</param>
public sealed record GpuRow(
    string Kernel, string Shape, double Microseconds, double Fastest, double Slowest, double Bytes, double Operations, double Floor)
{
    /// <summary>Share of the ceiling that is reached.</summary>
    public double Fraction => Floor / Microseconds;
}

/// <summary>What <c>weft profile gpu</c> found.</summary>
/// <param name="Device">The GPU.</param>
/// <param name="ComputeCapability">90 for 9.0.</param>
/// <param name="Driver">CUDA version of the driver.</param>
/// <param name="CopyBytesPerSecond">Large copy inside the device, bytes read plus written.</param>
/// <param name="MatrixOperationsPerSecond">Large bf16 product through cuBLAS on random numbers.</param>
/// <param name="Rows">Kernels.</param>
public sealed record GpuReport(
    string Device, int ComputeCapability, string Driver, double CopyBytesPerSecond, double MatrixOperationsPerSecond, IReadOnlyList<GpuRow> Rows);

/// <summary>Serialises reports without reflection.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(GpuReport))]
internal sealed partial class GpuJson : JsonSerializerContext;
