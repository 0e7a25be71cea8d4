using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Profile.Documents;
using Weft.Profile.Workloads;

namespace Weft.Profile.Static;

/// <summary>What one instance takes on one architecture, as the compiler says.</summary>
/// <param name="Instance">Which.</param>
/// <param name="Usage">Registers and memory; null when it does not compile.</param>
/// <param name="Code">What it is made of; null when it does not compile.</param>
/// <param name="Failure">Why it does not pass, or null.</param>
/// <param name="Source">What the compilation followed from beside the compiler and the architecture.</param>
/// <param name="Known">It was compiled before, from the same.</param>
internal sealed record InstanceReport(KernelInstance Instance, ResourceUsage? Usage, CompiledCode? Code, string? Failure, string Source = "", bool Known = false)
{
    /// <summary><c>norm</c> of <c>weft::norm&lt;weft::bf16&gt;</c>.</summary>
    public string Kernel => Instance.Expression.Split('<')[0].Replace("weft::", "", StringComparison.Ordinal);
}

/// <summary>All instances on one architecture.</summary>
/// <param name="Architecture">Which.</param>
/// <param name="Seconds">Wall-clock time of all its compilations.</param>
/// <param name="Instances">One row an instance that exists there.</param>
internal sealed record ArchitectureReport(KernelArchitecture Architecture, double Seconds, IReadOnlyList<InstanceReport> Instances)
{
    /// <summary>The launches of a model's steps and how many blocks of each fit a multiprocessor.</summary>
    public IEnumerable<OccupancyRow> Occupancies(string kernel)
    {
        var gpu = GpuModel.All.First(model => model.ComputeCapability == Architecture.Number);
        var limits = MultiprocessorLimits.Of(Architecture.Number);
        var compiled = Instances.ToDictionary(report => report.Instance);
        foreach (var workload in StaticWorkloads.Of(gpu.Target, kernel))
        {
            if (compiled.GetValueOrDefault(workload.Instance) is not { Usage: { } usage })
                continue;
            var (blocks, occupancy, limit) = limits.Occupancy(workload.Launch, usage.Registers);
            yield return new(workload, usage.Registers, blocks, occupancy, limit);
        }
    }
}

/// <summary>How a launch fills a multiprocessor.</summary>
/// <param name="Workload">Which.</param>
/// <param name="Registers">Of a thread.</param>
/// <param name="Blocks">At once.</param>
/// <param name="Occupancy">Share of a multiprocessor's warps, 0 to 1.</param>
/// <param name="Limit">What keeps more away.</param>
internal sealed record OccupancyRow(Workload Workload, int Registers, int Blocks, double Occupancy, OccupancyLimit Limit);

/// <summary>The result of the static check.</summary>
/// <param name="Compiler">NVRTC's version.</param>
/// <param name="Kernel">What instances were asked for: a part of their names.</param>
/// <param name="Architectures">One table each.</param>
internal sealed record StaticReport(string Compiler, string Kernel, IReadOnlyList<ArchitectureReport> Architectures)
{
    /// <summary>Of the profile.</summary>
    public const string Name = "static";

    /// <summary>What its environment calls the compiler.</summary>
    public const string CompilerKey = "compiler";

    /// <summary>What its environment says of the compiler.</summary>
    public static string CompilerName(string version) => $"NVRTC {version}";

    /// <summary>Every instance compiles, without spills and within its bound.</summary>
    public bool Passed => Architectures.All(architecture => architecture.Instances.All(instance => instance.Failure is null));

    /// <summary>The figures: instances on architectures, launches on architectures, launches on GPUs.</summary>
    public ProfileDocument Document() => ProfileDocument.Of(
        Name, [(CompilerKey, CompilerName(Compiler))],
        [
            .. from architecture in Architectures
               from report in architecture.Instances
               where report is { Usage: not null, Code: not null }
               select new ProfileRow(report.Kernel, report.Instance.Expression, "", architecture.Architecture.Name, KnownInstances.Metrics(report.Usage!, report.Code!), Source: report.Source),
            .. from architecture in Architectures
               from row in architecture.Occupancies(Kernel)
               select new ProfileRow(row.Workload.Kernel, row.Workload.Instance.Expression, row.Workload.Shape, architecture.Architecture.Name, new SortedDictionary<string, double>
               {
                   ["blocks"] = row.Workload.Launch.GridX * (double)row.Workload.Launch.GridY * row.Workload.Launch.GridZ,
                   ["shared_bytes"] = row.Workload.Launch.SharedBytes,
                   ["occupancy"] = row.Occupancy,
               }),
            .. from gpu in GpuModel.All
               from workload in StaticWorkloads.Of(gpu.Target, Kernel)
               select new ProfileRow(workload.Kernel, workload.Instance.Expression, workload.Shape, gpu.Name, new SortedDictionary<string, double>
               {
                   ["bytes"] = workload.Bytes,
                   ["operations"] = workload.Operations,
                   ["plain_operations"] = workload.PlainOperations,
                   ["roofline_us"] = Math.Round(gpu.Roofline(workload.Bytes, workload.Operations, workload.PlainOperations), 3),
               }),
        ]);
}

/// <summary>The launches that tables of occupancy and rooflines show: one model's decode steps and a prompt.</summary>
internal static class StaticWorkloads
{
    private const int Context = 4096;
    private const int Prompt = 2048;

    /// <summary>On a GPU, of kernels whose instance holds <paramref name="kernel"/> in its name.</summary>
    public static IEnumerable<Workload> Of(WorkloadTarget target, string kernel) => All(target).Where(workload => workload.Instance.Expression.Contains(kernel, StringComparison.Ordinal));

    private static IEnumerable<Workload> All(WorkloadTarget target) => (
        from model in ModelShape.Real
        let catalog = new WorkloadCatalog(model, target)
        from workload in catalog.Decode(1, Context).Concat(catalog.Decode(8, Context)).Concat(catalog.QuantizedProducts(1)).Concat(catalog.QuantizedProducts(8)).Concat(catalog.QuantizedProducts(16)).Concat(catalog.QuantizedProducts(64)).Concat(catalog.Prefill(Prompt))
        select workload).Concat(LatentWorkloads.Real.Decode(target, 1, Context)).Concat(LatentWorkloads.Real.Decode(target, 8, Context)).Concat(LatentWorkloads.Real.Prefill(target, Prompt))
        .Concat(new ExpertWorkloads(ExpertShape.Real, target) is var experts ? experts.Step(1).Concat(experts.Step(Prompt)) : []);
}
