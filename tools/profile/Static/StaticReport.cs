using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weft.Profile.Static;

/// <summary>What one instance takes on one architecture, as the assembler says.</summary>
/// <param name="Source">File under kernels/.</param>
/// <param name="Expression">NVRTC name expression.</param>
/// <param name="Usage">The figures; null when it does not compile.</param>
/// <param name="Failure">Why it does not pass, or null.</param>
internal sealed record InstanceReport(string Source, string Expression, ResourceUsage? Usage, string? Failure);

/// <summary>All instances on one architecture.</summary>
/// <param name="Name"><c>sm_90a</c>.</param>
/// <param name="Seconds">Wall-clock time of all its compilations.</param>
/// <param name="Instances">One row an instance that exists there.</param>
internal sealed record ArchitectureReport(string Name, double Seconds, IReadOnlyList<InstanceReport> Instances);

/// <summary>The result of the static check.</summary>
/// <param name="Compiler">NVRTC's version.</param>
/// <param name="Architectures">One table each.</param>
internal sealed record StaticReport(string Compiler, IReadOnlyList<ArchitectureReport> Architectures)
{
    /// <summary>Every instance compiles, without spills and within its bound.</summary>
    public bool Passed => Architectures.All(architecture => architecture.Instances.All(instance => instance.Failure is null));
}

/// <summary>The JSON that the profiler writes: snake_case names, every member always there.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(StaticReport))]
internal sealed partial class ProfileJson : JsonSerializerContext;
