using System.Text.Json;
using System.Text.Json.Serialization;
using Weft.Profile.Workloads;

namespace Weft.Profile.Static;

/// <summary>Public figures of a GPU: gpus.json, which names their sources.</summary>
/// <param name="Name">As it is sold.</param>
/// <param name="ComputeCapability">90 for 9.0.</param>
/// <param name="Multiprocessors">How many.</param>
/// <param name="GigabytesPerSecond">Of device memory.</param>
/// <param name="MatrixTeraflops">Tensor cores, 16 bit with float32 sums, dense.</param>
/// <param name="FloatTeraflops">float32 outside tensor cores.</param>
/// <param name="Source">Where the figures are from.</param>
internal sealed record GpuModel(
    string Name, int ComputeCapability, int Multiprocessors, double GigabytesPerSecond, double MatrixTeraflops, double FloatTeraflops, string Source)
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<GpuModel> All { get; } = Load();

    /// <summary>What workloads depend on.</summary>
    public WorkloadTarget Target => new(ComputeCapability, Multiprocessors, MultiprocessorLimits.Of(ComputeCapability).SharedBytesPerBlock);

    /// <summary>Microseconds that work takes at least: it moves its bytes and uses both kinds of units at once.</summary>
    public double Roofline(double bytes, double operations, double plainOperations) =>
        Math.Max(bytes / (GigabytesPerSecond * 1e3), Math.Max(operations / (MatrixTeraflops * 1e6), plainOperations / (FloatTeraflops * 1e6)));

    private static List<GpuModel> Load()
    {
        using var stream = typeof(GpuModel).Assembly.GetManifestResourceStream("gpus.json")!;
        return JsonSerializer.Deserialize(stream, GpuModelJson.Default.ListGpuModel)!;
    }
}

/// <summary>Reads gpus.json without reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(List<GpuModel>))]
internal sealed partial class GpuModelJson : JsonSerializerContext;
