using Weft.Backends.Cuda.Kernels;
using Weft.Profile.Gpu;
using Weft.Tensors;

namespace Weft.Profile.Workloads;

/// <summary>The launches that latent attention adds to a step.</summary>
/// <param name="Name">Of the model.</param>
/// <param name="Heads">H.</param>
/// <param name="Turned">R.</param>
/// <param name="Rank">L.</param>
/// <param name="Plain">P.</param>
/// <param name="Value">Elements of a head's value.</param>
internal sealed record LatentWorkloads(string Name, int Heads, int Turned, int Rank, int Plain, int Value)
{
    private const int Half = sizeof(ushort);

    /// <summary>DeepSeek-V2-Lite as released.</summary>
    public static LatentWorkloads Real { get; } = new("DeepSeek-V2-Lite", 16, 64, 512, 128, 128);

    /// <summary>A small one for counters, and for a run that only shows that everything works.</summary>
    public static LatentWorkloads Small { get; } = new("small-latent", 4, 32, 64, 32, 32);

    private int Size => Turned + Rank;

    /// <summary>One token for each of <paramref name="batch"/> sequences of <paramref name="context"/> positions.</summary>
    public IEnumerable<Workload> Decode(WorkloadTarget target, int batch, int context) => Of(target, new(batch, context), 1);

    /// <summary>A prompt of <paramref name="tokens"/> tokens.</summary>
    public IEnumerable<Workload> Prefill(WorkloadTarget target, int tokens) => Of(target, new(1, tokens), tokens);

    private IEnumerable<Workload> Of(WorkloadTarget target, CacheLayout cache, int tokens)
    {
        // Before 8.0 there is no bf16.
        var type = target.ComputeCapability >= 80 ? DataType.BFloat16 : DataType.Float16;
        var rows = cache.Sequences * tokens;
        yield return HeadLinear("query to latent", type, DataType.Float32, rows, Plain, Rank);
        yield return Write(type, cache, tokens);
        yield return Attention(type, cache, tokens);
        yield return HeadLinear("value", type, type, rows, Rank, Value);
    }

    private Workload HeadLinear(string name, DataType type, DataType y, int rows, int inner, int outputs)
    {
        var (weights, input, output) = ((long)Heads * inner * outputs * Half, (long)rows * Heads * inner * Half, (long)rows * Heads * outputs * y.Size());
        return Workload.Of<HeadLinearParams>(
            "head_linear", $"{Name} {name} {rows}×{Heads}×{outputs}×{inner}", HeadLinearKernel.Instance(type, y), HeadLinearKernel.Shape(rows, outputs, Heads),
            weights + input + output, 2.0 * rows * Heads * inner * outputs, 0, operands =>
            {
                var result = operands.Zeros(output);
                return turn => new HeadLinearParams
                {
                    X = operands.Random(input, turn),
                    Weight = operands.Random(weights, turn),
                    Y = result,
                    Rows = rows,
                    Outputs = outputs,
                    Inner = inner,
                    XStride = Heads * inner,
                    YStride = Heads * outputs,
                };
            });
    }

    private Workload Write(DataType type, CacheLayout cache, int tokens)
    {
        var rows = cache.Sequences * tokens;
        var input = (long)rows * (Heads + 1) * Size * sizeof(float);
        return Workload.Of<LatentWriteParams>(
            "latent_write", $"{Name} {rows} tokens", LatentWriteKernel.Instance(DataType.Float16), LatentWriteKernel.Shape(rows, Heads), input * 1.5, 0, 3.0 * rows * (Heads + 1) * Turned, operands =>
            {
                var (positions, slots) = (operands.Upload<int>(cache.LastPositions(tokens)), operands.Upload<int>(cache.Slots(tokens)));
                var (q, kept) = (operands.Zeros((long)rows * Heads * Size * Half), operands.Zeros(CacheBytes(cache)));
                return turn => new LatentWriteParams
                {
                    Turned = operands.Random((long)rows * Heads * Turned * sizeof(float), turn),
                    LatentQueries = operands.Random((long)rows * Heads * Rank * sizeof(float), turn),
                    Key = operands.Random((long)rows * Turned * sizeof(float), turn),
                    Latent = operands.Random((long)rows * Rank * sizeof(float), turn),
                    Q = q,
                    Cache = kept,
                    Table = operands.Random((long)cache.Positions * Turned * sizeof(float), 0),
                    Positions = positions,
                    Slots = slots,
                    Tokens = rows,
                    Heads = Heads,
                    Rotary = Turned,
                    Rank = Rank,
                    TurnedStride = Heads * Turned,
                    LatentQueriesStride = Heads * Rank,
                    KeyStride = Turned,
                    LatentStride = Rank,
                    QStride = Heads * Size,
                };
            });
    }

    private Workload Attention(DataType type, CacheLayout cache, int tokens)
    {
        var (batch, positions) = (cache.Sequences, cache.Positions);
        var rows = batch * tokens;
        var isPrompt = tokens > 1;
        var each = isPrompt ? AttentionPrefillKernel.TileRows : 1;
        AttentionTile[] tiles = [.. Enumerable.Range(0, (tokens + each - 1) / each).Select(tile => new AttentionTile(0, tile * each))];
        // Half of all pairs of a query and a key of a prompt are seen.
        var seen = isPrompt ? 0.5 * tokens * tokens : (double)batch * positions;
        return Workload.Of<AttentionLatentParams>(
            "attention_latent", isPrompt ? $"{Name} {tokens} tokens" : $"{Name} batch {batch}, context {positions}",
            AttentionLatentKernel.Instance(new(type, DataType.Float16), Turned, Rank, AttentionVariant.Causal),
            AttentionLatentKernel.Shape(isPrompt ? tiles.Length : batch, each, Heads, Size),
            ((double)batch * positions * Size * Half) + ((double)rows * Heads * (Size + Rank) * Half), 2.0 * seen * Heads * (Size + Rank), 0, operands =>
            {
                var (list, ends) = (operands.Upload<AttentionTile>(tiles), operands.Upload(tokens));
                var (last, tables) = (operands.Upload<int>(cache.LastPositions(tokens)), operands.Upload<int>(cache.Tables()));
                var places = operands.Upload<int>([.. Enumerable.Range(0, batch)]);
                var y = operands.Zeros((long)rows * Heads * Rank * Half);
                return turn => new AttentionLatentParams
                {
                    Q = operands.Random((long)rows * Heads * Size * Half, turn),
                    Cache = operands.Random(CacheBytes(cache), turn),
                    Y = y,
                    Tiles = isPrompt ? list : 0,
                    PromptEnds = ends,
                    Rows = places,
                    Tables = places,
                    Positions = last,
                    BlockTables = tables,
                    Score = new() { Scale = 1 / MathF.Sqrt(Turned + Plain) },
                    Heads = Heads,
                    QStride = Heads * Size,
                    YStride = Heads * Rank,
                    MaxBlocks = cache.MaxBlocks,
                };
            });
    }

    private long CacheBytes(CacheLayout cache) => (long)cache.Blocks * CacheLayout.BlockSize * Size * Half;
}
