using Weft.Backends.Cuda.Kernels;
using Weft.Profile.Documents;

namespace Weft.Profile.Static;

/// <summary>
/// Instances that an earlier static profile has figures of. A compiler gives the same for the same text and options: what those have not changed of
/// need not be compiled again.
/// </summary>
internal sealed class KnownInstances
{
    private readonly Dictionary<(string Expression, string Target, string Source), ProfileRow> rows = [];

    /// <summary>Takes the rows of a document; none where another compiler made them.</summary>
    /// <exception cref="WeftException">It is not a static profile.</exception>
    public KnownInstances(ProfileDocument document, string compiler)
    {
        if (document.Profile != StaticReport.Name)
            throw new WeftException($"--known needs a static profile, and this is a profile '{document.Profile}'");
        if (document.Environment.GetValueOrDefault(StaticReport.CompilerKey) != StaticReport.CompilerName(compiler))
            return;
        foreach (var row in document.Rows.Where(row => row.Source is not null))
            rows[(row.Instance, row.Target, row.Source!)] = row;
    }

    private KnownInstances()
    {
    }

    /// <summary>None at all.</summary>
    public static KnownInstances None { get; } = new();

    /// <summary>What is known of an instance, or null.</summary>
    public InstanceReport? Find(KernelInstance instance, string target, string source)
    {
        if (!rows.TryGetValue((instance.Expression, target, source), out var row))
            return null;
        int Of(string metric) => (int)row.Metrics.GetValueOrDefault(metric);
        var usage = new ResourceUsage(Of("registers"), Of("stack_bytes"), Of("spill_store_bytes"), Of("spill_load_bytes"), Of("static_shared_bytes"));
        var code = new CompiledCode(Of("code_bytes"), Of("threads"), [.. CompiledCode.Kinds.Select(kind => Of("ptx_" + kind))]);
        return StaticCheck.Judge(instance, usage, code) with { Source = source, Known = true };
    }

    /// <summary>The figures of an instance, of which those that are not there are 0.</summary>
    public static SortedDictionary<string, double> Metrics(ResourceUsage usage, CompiledCode code)
    {
        var metrics = new SortedDictionary<string, double>
        {
            ["registers"] = usage.Registers,
            ["stack_bytes"] = usage.StackBytes,
            ["spill_store_bytes"] = usage.SpillStoreBytes,
            ["spill_load_bytes"] = usage.SpillLoadBytes,
            ["static_shared_bytes"] = usage.StaticSharedBytes,
            ["code_bytes"] = code.CodeBytes,
            ["threads"] = code.Threads,
        };
        for (var kind = 0; kind < code.Mix.Count; kind++)
            metrics["ptx_" + CompiledCode.Kinds[kind]] = code.Mix[kind];
        foreach (var (name, _) in metrics.Where(metric => metric.Value == 0).ToList())
            metrics.Remove(name);
        return metrics;
    }
}
