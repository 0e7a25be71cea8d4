using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;

namespace Weft.Profile.Static;

/// <summary>Compiles every listed instance for every architecture and judges what the assembler says. It needs NVRTC and no GPU.</summary>
internal static class StaticCheck
{
    /// <summary>Instances compiled in one go: the headers are then parsed once for all of them.</summary>
    private const int GroupSize = 8;

    /// <summary>Digits of a key that a profile holds: enough that no two are alike by accident.</summary>
    private const int KeyLength = 16;

    /// <summary>Runs the check, one architecture after the other, each on all processors.</summary>
    /// <param name="kernel">What was asked for, for the report.</param>
    /// <param name="instances">What to compile for an architecture.</param>
    /// <param name="sources">Texts of the kernels.</param>
    /// <param name="architectures">Targets.</param>
    /// <param name="compiler">The compiler's version, for the report.</param>
    /// <param name="known">What need not be compiled.</param>
    /// <param name="cancellationToken">Stops between two compilations.</param>
    public static StaticReport Run(
        string kernel,
        Func<KernelArchitecture, IEnumerable<KernelInstance>> instances,
        KernelSources sources,
        IReadOnlyList<KernelArchitecture> architectures,
        string compiler,
        KnownInstances known,
        CancellationToken cancellationToken)
    {
        var keys = architectures.SelectMany(instances).Distinct().ToDictionary(instance => instance, instance => KernelCompiler.KeyOf(sources, instance).Name[..KeyLength]);
        return new(compiler, kernel, [.. architectures.Select(architecture => Check([.. instances(architecture)], sources, architecture, keys, known, cancellationToken))]);
    }

    /// <summary>Whether <paramref name="usage"/> is within the bounds of <paramref name="instance"/>.</summary>
    internal static InstanceReport Judge(KernelInstance instance, ResourceUsage? usage, CompiledCode? code = null)
    {
        var failure = usage switch
        {
            null => "the compiler's log does not mention it",
            { Spills: true } => $"spills {usage.SpillStoreBytes} bytes and loads {usage.SpillLoadBytes}",
            { StaticSharedBytes: > 0 } => $"declares {usage.StaticSharedBytes} bytes of static shared memory",
            _ when usage.Registers > KernelCatalog.MostRegisters(instance) => $"takes {usage.Registers} registers of {KernelCatalog.MostRegisters(instance)}",
            _ => null,
        };
        return new InstanceReport(instance, usage, code, failure);
    }

    private static ArchitectureReport Check(
        KernelInstance[] instances,
        KernelSources sources,
        KernelArchitecture architecture,
        Dictionary<KernelInstance, string> keys,
        KnownInstances known,
        CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var reports = new ConcurrentDictionary<KernelInstance, InstanceReport>();
        foreach (var instance in instances)
        {
            if (known.Find(instance, architecture.Name, keys[instance]) is { } report)
                reports[instance] = report;
        }

        var groups = (
            from source in instances.Where(instance => !reports.ContainsKey(instance)).GroupBy(instance => instance.Source)
            from chunk in source.Chunk(GroupSize)
            select chunk).ToArray();
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellationToken };
        Parallel.ForEach(groups, parallel, group =>
        {
            foreach (var report in Check(sources, architecture, group))
                reports[report.Instance] = report with { Source = keys[report.Instance] };
        });
        return new ArchitectureReport(architecture, clock.Elapsed.TotalSeconds, [.. instances.Select(instance => reports[instance])]);
    }

    private static InstanceReport[] Check(KernelSources sources, KernelArchitecture architecture, KernelInstance[] instances)
    {
        CompiledProgram program;
        try
        {
            program = KernelCompiler.Compile(
                sources, instances[0].Source, [.. instances.Select(instance => instance.Expression)], $"--gpu-architecture={architecture.Name}", "--ptxas-options=-v");
        }
        catch (Exception failure) when (failure is WeftException or InteropException)
        {
            // One bad instance fails its whole group: alone, each tells whether it is the one.
            return instances.Length > 1
                ? [.. instances.SelectMany(instance => Check(sources, architecture, [instance]))]
                : [new InstanceReport(instances[0], null, null, failure.Message)];
        }

        var usages = ResourceUsage.Parse(program.Log);
        var codes = CompiledCode.Parse(program.Image.Span, Encoding.ASCII.GetString(program.Ptx.Span));
        return
        [
            .. from instance in instances
               let lowered = program.LoweredNames[instance.Expression]
               select Judge(instance, usages.GetValueOrDefault(lowered), codes.GetValueOrDefault(lowered)),
        ];
    }
}
