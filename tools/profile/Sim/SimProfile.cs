using Spectre.Console;
using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Profile.Documents;
using Weft.Profile.Workloads;

namespace Weft.Profile.Sim;

/// <summary>
/// <c>weft profile sim</c>: the launches of a small model's steps on the software device with counters on. No figure depends on the
/// machine, on time or on the order in which warps run.
/// </summary>
internal static class SimProfile
{
    private const int RandomBytes = 64 << 20;

    // Of an H100, whatever architecture the software device stands for.
    private static readonly WorkloadTarget Target = new(90, 132, 227 << 10);

    /// <summary>Counts every workload whose instance holds <paramref name="kernel"/> in its name.</summary>
    /// <exception cref="WeftException">No workload does.</exception>
    public static (ProfileDocument Document, IReadOnlyList<SimRow> Rows) Run(string kernel, CancellationToken cancellationToken)
    {
        var workloads = ModelShape.Counted.SelectMany(model => new WorkloadCatalog(model, Target) is var catalog
                ? catalog.Decode(1, 1000).Concat(catalog.Decode(8, 300)).Concat(catalog.QuantizedProducts(1)).Concat(catalog.QuantizedProducts(8)).Concat(catalog.QuantizedProducts(20)).Concat(catalog.QuantizedProducts(64)).Concat(catalog.Prefill(200))
                : [])
            .Concat(new ExpertWorkloads(ExpertShape.Counted, Target) is var experts ? experts.Step(1).Concat(experts.Step(64)) : [])
            .Concat(LatentWorkloads.Small.Decode(Target, 8, 300)).Concat(LatentWorkloads.Small.Prefill(Target, 200))
            .Where(workload => workload.Instance.Expression.Contains(kernel, StringComparison.Ordinal)).ToList();
        if (workloads.Count == 0)
            throw new WeftException($"no workload runs a kernel instance that holds '{kernel}' in its name");

        using var context = CudaContext.Create(0);
        using var stream = CudaStream.Create(context);
        using var operands = new Operands(context, stream, RandomBytes);
        var images = Compile(workloads.Select(workload => workload.Instance).Distinct(), cancellationToken);
        var rows = new List<SimRow>();
        foreach (var source in workloads.GroupBy(workload => workload.Instance))
        {
            var (image, name) = images[source.Key];
            using var module = CudaModule.Load(context, image.Span);
            var loaded = module.GetKernel(name);
            foreach (var workload in source)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var launch = workload.Bind(operands);
                stream.Synchronize();
                Simulator.ReadCounters();
                launch(loaded, stream, 0);
                stream.Synchronize();
                rows.Add(new(workload, Simulator.ReadCounters()));
                operands.Release();
            }
        }

        var environment = new[] { ("compiler", HostCompiler.Version()), ("device", "software CUDA device, compute capability 9.0") };
        return (ProfileDocument.Of("sim", environment, rows.Select(row => row.Figures())), rows);
    }

    /// <summary>Writes the table.</summary>
    public static void Write(IAnsiConsole console, IReadOnlyList<SimRow> rows)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("kernel", "shape");
        foreach (var heading in (string[])["requested KB", "sectors", "of minimum", "shared passes", "conflicts", "barriers", "active lanes", "tensor MFLOP", "float MFLOP"])
            table.AddColumn(new TableColumn(heading).RightAligned());
        foreach (var row in rows)
        {
            var counters = row.Counters;
            table.AddRow([.. new[]
            {
                row.Workload.Kernel, row.Workload.Shape, Text(counters.GlobalBytes / 1e3, "F1"), Text(counters.GlobalSectors, "F0"), Text(row.OfMinimum, "F2"),
                Text(counters.SharedPasses, "F0"), Text(counters.BankConflicts, "F0"), Text(counters.Barriers, "F0"), Text(row.ActiveLanes, "F1"),
                Text(counters.TensorOperations / 1e6, "F2"), Text(counters.FloatOperations / 1e6, "F2"),
            }.Select(Markup.Escape)]);
        }

        console.Write(table);
        console.WriteLine(
            "Sectors are of 32 bytes; of minimum: their bytes over the fewest that the work must move, above 1 where something is read again, from L2 on a GPU. " +
            "Passes and conflicts are of shared memory's 32 banks, without what wgmma reads by itself. Active lanes: of 32, over basic blocks as the host's compiler makes them.");
    }

    private static string Text(double value, string format) => value.ToString(format, System.Globalization.CultureInfo.InvariantCulture);

    private static Dictionary<KernelInstance, (ReadOnlyMemory<byte> Image, string Name)> Compile(IEnumerable<KernelInstance> instances, CancellationToken cancellationToken)
    {
        var sources = KernelSources.Load();
        var list = instances.ToArray();
        var compiled = new (ReadOnlyMemory<byte>, string)[list.Length];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellationToken };
        Parallel.For(0, list.Length, parallel, i =>
        {
            var program = KernelCompiler.Compile(
                sources, list[i].Source, [list[i].Expression], "--gpu-architecture=" + new KernelArchitecture(Target.ComputeCapability).Name, Simulator.CountersOption);
            compiled[i] = (program.Image, program.LoweredNames[list[i].Expression]);
        });
        return list.Zip(compiled).ToDictionary(pair => pair.First, pair => pair.Second);
    }
}
