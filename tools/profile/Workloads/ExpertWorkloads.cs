using Weft.Backends.Cuda.Kernels;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Profile.Workloads;

/// <summary>Sizes of a mixture of experts that is profiled.</summary>
internal sealed record ExpertShape(string Name, int Hidden, int Intermediate, int Count, int Active)
{
    /// <summary>Qwen3-30B-A3B as released.</summary>
    public static ExpertShape Real { get; } = new("Qwen3-30B-A3B", 2048, 768, 128, 8);

    /// <summary>A small one for counters.</summary>
    public static ExpertShape Counted { get; } = new("small-experts", 512, 192, 16, 4);

    /// <summary>For a run that only shows that everything works.</summary>
    public static ExpertShape Trial { get; } = new("tiny-experts", 128, 64, 8, 2);
}

/// <summary>The launches of a mixture of experts in a step, one workload each. Every token goes through other experts than its neighbours, as evenly as can be.</summary>
internal sealed class ExpertWorkloads(ExpertShape shape, WorkloadTarget target)
{
    private const int Half = sizeof(ushort);

    private readonly DataType type = target.ComputeCapability >= 80 ? DataType.BFloat16 : DataType.Float16;
    private readonly ExpertsDescription experts = new() { Count = shape.Count, Active = shape.Active, Normalized = true };
    private readonly FeedForwardDescription block = new() { IntermediateSize = shape.Intermediate, Activation = Activation.Silu };

    /// <summary>Of a step of so many tokens.</summary>
    public IEnumerable<Workload> Step(int tokens) =>
        [Route(tokens), Sort(tokens), Product("gate+up", tokens, isInner: true), Product("down", tokens, isInner: false), Combine(tokens)];

    private Workload Route(int tokens) => Workload.Of<RouteParams>(
        "route", $"{shape.Name} {tokens}×{shape.Count}", RouteKernel.Route, RouteKernel.RouteShape(tokens, experts),
        ((double)tokens * shape.Count * sizeof(float)) + (2.0 * tokens * shape.Active * sizeof(float)), 0, 0, operands =>
        {
            var chosen = operands.Zeros((long)tokens * shape.Active * sizeof(int));
            var weights = operands.Zeros((long)tokens * shape.Active * sizeof(float));
            return turn => new RouteParams
            {
                Logits = operands.Random((long)tokens * shape.Count * sizeof(float), turn),
                Chosen = chosen,
                Weights = weights,
                Rows = tokens,
                Experts = shape.Count,
                Active = shape.Active,
                Stride = shape.Count,
                Normalized = 1,
                Scale = 1,
                Margin = -1,
            };
        });

    private Workload Sort(int tokens)
    {
        var (chosen, columns) = (Chosen(tokens), RouteKernel.Columns(tokens * shape.Active, shape.Count));
        var most = RouteKernel.MostTiles(chosen.Length, shape.Count, columns);
        return Workload.Of<SortParams>(
            "sort_assignments", $"{shape.Name} {tokens}×{shape.Active} of {shape.Count}", RouteKernel.Sort, RouteKernel.SortShape(experts),
            sizeof(int) * ((3.0 * chosen.Length) + (RouteKernel.TileInts * most)), 0, 0, operands =>
            {
                var parameters = new SortParams
                {
                    Chosen = operands.Upload<int>(chosen),
                    Sources = operands.Zeros((long)chosen.Length * sizeof(int)),
                    Places = operands.Zeros((long)chosen.Length * sizeof(int)),
                    Tiles = operands.Zeros((long)most * RouteKernel.TileInts * sizeof(int)),
                    Assignments = chosen.Length,
                    Experts = shape.Count,
                    Active = shape.Active,
                    MostTiles = most,
                    Columns = columns,
                };
                return _ => parameters;
            });
    }

    private Workload Product(string name, int tokens, bool isInner)
    {
        var (m, k) = isInner ? (shape.Intermediate, shape.Hidden) : (shape.Hidden, shape.Intermediate);
        var (sources, tiles, columns) = Tiles(tokens);
        var count = tiles.Length / RouteKernel.TileInts;
        var rows = isInner ? 2 * m : m;
        var busy = Chosen(tokens).Distinct().Count();
        var weights = (long)shape.Count * rows * k * Half;
        var bytes = ((double)busy * rows * k * Half) + ((double)(isInner ? tokens : sources.Length) * k * Half) + ((double)sources.Length * m * (isInner ? Half : sizeof(float)));
        var operations = 2.0 * sources.Length * rows * k;
        var text = $"{shape.Name} {name} {tokens}·{shape.Active}×{rows}×{k}";
        if (columns > GemvKernel.MostRows)
        {
            var instance = isInner ? ExpertProductKernel.GatedGemm(type, columns, block) : ExpertProductKernel.Gemm(type, columns, GemvOutput.StoreFloat);
            return Workload.Of<ExpertParams<GemmParams>>("gemm, experts", text, instance, ExpertProductKernel.GemmShape(count, columns, m, isInner), bytes, operations, 0, operands =>
            {
                var bind = Bind(operands);
                return turn => With(new GemmParams
                {
                    X = operands.Random((long)sources.Length * k * Half, turn),
                    Weight = operands.Random(weights, turn),
                    Y = bind.Y,
                    Outputs = m,
                    Inner = k,
                    XStride = k,
                    WStride = k,
                    YStride = m,
                }, bind);
            });
        }

        var sets = GemvKernel.Sets(m, target.Multiprocessors);
        var few = isInner ? ExpertProductKernel.GatedGemv(type, block) : ExpertProductKernel.Gemv(type, sets, GemvOutput.StoreFloat);
        var launch = isInner ? ExpertProductKernel.GatedGemvShape(count, m, k) : ExpertProductKernel.GemvShape(count, m, k, sets);
        return Workload.Of<ExpertParams<GemvParams>>("gemv, experts", text, few, launch, bytes, operations, 0, operands =>
        {
            var bind = Bind(operands);
            return turn => With(new GemvParams
            {
                X = operands.Random((long)sources.Length * k * Half, turn),
                Weight = operands.Random(weights, turn),
                Y = bind.Y,
                Outputs = m,
                Inner = k,
                XStride = k,
                WStride = k,
                YStride = m,
            }, bind);
        });

        (nuint Y, nuint Tiles, nuint Sources) Bind(Operands operands) =>
            (operands.Zeros((long)sources.Length * m * sizeof(float)), operands.Upload<int>(tiles), operands.Upload<int>(sources));

        ExpertParams<TProduct> With<TProduct>(TProduct product, (nuint Y, nuint Tiles, nuint Sources) bind)
            where TProduct : unmanaged => new() { Product = product, Tiles = bind.Tiles, Sources = isInner ? bind.Sources : 0, Experts = shape.Count };
    }

    private Workload Combine(int tokens)
    {
        var assignments = tokens * shape.Active;
        return Workload.Of<CombineParams>(
            "combine", $"{shape.Name} {tokens}·{shape.Active}×{shape.Hidden}", CombineKernel.Instance, CombineKernel.Shape(tokens),
            (double)(assignments + tokens) * shape.Hidden * sizeof(float), 0, 2.0 * assignments * shape.Hidden, operands =>
            {
                var places = operands.Upload<int>([.. Enumerable.Range(0, assignments)]);
                var y = operands.Zeros((long)tokens * shape.Hidden * sizeof(float));
                return turn => new CombineParams
                {
                    X = operands.Random((long)assignments * shape.Hidden * sizeof(float), turn),
                    Places = places,
                    Weights = operands.Random((long)assignments * sizeof(float), turn),
                    Y = y,
                    Width = shape.Hidden,
                    Active = shape.Active,
                    XStride = shape.Hidden,
                    WeightStride = shape.Active,
                    YStride = shape.Hidden,
                };
            });
    }

    private int[] Chosen(int tokens) => [.. Enumerable.Range(0, tokens * shape.Active).Select(i => i % shape.Count)];

    /// <summary>What sorting makes of the assignments.</summary>
    private (int[] Sources, int[] Tiles, int Columns) Tiles(int tokens)
    {
        var chosen = Chosen(tokens);
        var columns = RouteKernel.Columns(chosen.Length, shape.Count);
        var order = Enumerable.Range(0, chosen.Length).OrderBy(i => chosen[i]).ToArray();
        var tiles = order.Index().GroupBy(pair => chosen[pair.Item])
            .SelectMany(group => group.Chunk(columns).SelectMany(part => new[] { group.Key, part[0].Index, part.Length, 0 })).ToArray();
        Array.Resize(ref tiles, RouteKernel.MostTiles(chosen.Length, shape.Count, columns) * RouteKernel.TileInts);
        return ([.. order.Select(i => i / shape.Active)], tiles, columns);
    }
}
