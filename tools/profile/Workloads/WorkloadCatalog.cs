using System.Runtime.CompilerServices;
using Weft.Backends.Cuda.Kernels;
using Weft.Models;
using Weft.Profile.Gpu;
using Weft.Sampling;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Profile.Workloads;

/// <summary>The launches of a decode step and of a prefill step of a LLaMA-like model, one workload each.</summary>
internal sealed class WorkloadCatalog(ModelShape model, WorkloadTarget target)
{
    /// <summary>Columns of a quantized matrix that share a scale.</summary>
    public const int GroupSize = 128;

    private const int Half = sizeof(ushort);
    private const float Epsilon = 1e-5f;
    private const DataType Float = DataType.Float32;

    // Before 8.0 there is no bf16.
    private readonly DataType type = target.ComputeCapability >= 80 ? DataType.BFloat16 : DataType.Float16;
    private readonly int queryWidth = model.QueryHeads * model.HeadSize;
    private readonly int jointWidth = (model.QueryHeads + (2 * model.KeyHeads)) * model.HeadSize;

    /// <summary>One token for each of <paramref name="batch"/> sequences of <paramref name="context"/> positions.</summary>
    public IEnumerable<Workload> Decode(int batch, int context)
    {
        var cache = new CacheLayout(batch, context);
        yield return Embedding(batch);
        foreach (var workload in DenseProducts(batch).Append(Dense("head", batch, model.Vocabulary, model.Hidden, GemvInput.RmsInput, GemvOutput.StoreFloat)))
            yield return workload;

        yield return Norm(batch);
        yield return RotaryCacheWrite(cache, 1);
        yield return AttentionDecode(cache);
        foreach (var workload in new RecurrentWorkloads(model, type).All(batch, 1))
            yield return workload;
        yield return Sample(batch, "greedy", SamplingKernel.Greedy, new());
        yield return Sample(batch, "top-k 50, top-p 0.9", SamplingKernel.Draw, new() { Temperature = 0.8f, TopK = 50, TopP = 0.9f, Seed = 1 });
    }

    /// <summary>A prompt of <paramref name="tokens"/> tokens.</summary>
    public IEnumerable<Workload> Prefill(int tokens)
    {
        var cache = new CacheLayout(1, tokens);
        yield return Embedding(tokens);
        foreach (var workload in DenseProducts(tokens))
            yield return workload;
        yield return Norm(tokens);
        yield return RotaryCacheWrite(cache, tokens);
        yield return AttentionPrefill(cache, target.ComputeCapability, "attention_prefill");
        // Says whether wgmma pays.
        if (target.ComputeCapability == AttentionPrefillKernel.WarpgroupCapability)
            yield return AttentionPrefill(cache, 80, "attention_prefill, mma.sync");
        foreach (var workload in new RecurrentWorkloads(model, type).All(1, tokens))
            yield return workload;
        yield return Activation(tokens);
        yield return CopyRows(tokens);
        yield return CopyHeads(tokens);
        foreach (var workload in new VirtualTokenWorkloads(model, type).All(cache, tokens))
            yield return workload;
        if (model.Hidden % GroupSize == 0)
            yield return Dequantize("gate+up", 2 * model.Intermediate, model.Hidden);
    }

    private Workload Embedding(int tokens) => Workload.Of<EmbeddingParams>(
        "embedding", $"{model.Name} {tokens}×{model.Hidden}", EmbeddingKernel.Instance(type), EmbeddingKernel.Shape(tokens),
        (double)tokens * model.Hidden * (Half + sizeof(float)), 0, 0, operands =>
        {
            var ids = operands.Upload<int>([.. Enumerable.Range(0, tokens).Select(token => token * 7919 % model.Vocabulary)]);
            var y = operands.Zeros((long)tokens * model.Hidden * sizeof(float));
            return turn => new EmbeddingParams
            {
                Table = operands.Random((long)model.Vocabulary * model.Hidden * Half, turn),
                TokenIds = ids,
                Y = y,
                Width = model.Hidden,
                Stride = model.Hidden,
                YStride = model.Hidden,
                Scale = 1,
            };
        });

    private IEnumerable<Workload> DenseProducts(int rows) =>
    [
        Dense("qkv", rows, jointWidth, model.Hidden, GemvInput.RmsInput, GemvOutput.StoreFloat),
        Dense("output", rows, model.Hidden, queryWidth, GemvInput.PlainInput, GemvOutput.Accumulate),
        Dense("gate+up", rows, model.Intermediate, model.Hidden, GemvInput.RmsInput, null),
        Dense("down", rows, model.Hidden, model.Intermediate, GemvInput.PlainInput, GemvOutput.Accumulate),
    ];

    /// <summary>Products with 4-bit weights by our own kernels; on 9.0 beside what <c>wgmma</c> gains over <c>mma.sync</c>.</summary>
    public IEnumerable<Workload> QuantizedProducts(int rows) => QuantizedProducts(rows, target.ComputeCapability).Concat(
        rows > QuantizedGemvKernel.MostRows && target.ComputeCapability == AttentionPrefillKernel.WarpgroupCapability
            ? QuantizedProducts(rows, 80).Select(workload => workload with { Kernel = workload.Kernel + ", mma.sync", Peer = null })
            : []);

    private IEnumerable<Workload> QuantizedProducts(int rows, int computeCapability) => new[] { queryWidth, model.Hidden, model.Intermediate }.Any(inner => inner % GroupSize != 0)
        ? []
        :
        [
            Quantized("qkv", rows, jointWidth, model.Hidden, GemvOutput.StoreFloat, computeCapability),
            Quantized("output", rows, model.Hidden, queryWidth, GemvOutput.Accumulate, computeCapability),
            Quantized("gate+up", rows, model.Intermediate, model.Hidden, null, computeCapability),
            Quantized("down", rows, model.Hidden, model.Intermediate, GemvOutput.Accumulate, computeCapability),
        ];

    /// <summary>Without an output it is gated.</summary>
    private Workload Dense(string name, int n, int m, int k, GemvInput input, GemvOutput? output) =>
        n <= GemvKernel.MostRows ? Gemv(name, n, m, k, input, output) : Gemm(name, n, m, k, input, output);

    private Workload Gemm(string name, int n, int m, int k, GemvInput input, GemvOutput? output)
    {
        var parts = GemvKernel.Parts(type, input);
        var shape = GemmKernel.Shape(n, parts, m, output is null, target.Multiprocessors);
        var matrixRows = output is null ? 2 * m : m;
        var (weights, inputBytes) = ((long)matrixRows * k * Half, (long)n * k * Half);
        return Workload.Of<GemmParams>(
            output is null ? "gemm, gated" : "gemm", $"{model.Name} {name} {n}×{matrixRows}×{k}",
            output is { } to ? GemmKernel.Instance(type, n, parts, to) : GemmKernel.Gated(type, n, parts, Models.Activation.Silu),
            shape, weights + inputBytes + OutputBytes(n, m, output), 2.0 * n * matrixRows * k, 0, operands =>
            {
                var y = operands.Zeros((long)n * m * sizeof(float));
                var partial = operands.Zeros(Math.Max(sizeof(float), GemmKernel.PartialBytes(shape, n)));
                var counters = operands.Zeros((long)sizeof(int) * GemmKernel.Counters(matrixRows));
                // As of a prompt, whose rows have one part.
                var drawn = operands.Zeros((long)n * sizeof(int));
                return turn => new GemmParams
                {
                    X = operands.Random(inputBytes, turn),
                    Low = y,
                    Drawn = drawn,
                    Weight = operands.Random(weights, turn),
                    Y = y,
                    Partial = partial,
                    Counters = counters,
                    Rows = n,
                    Outputs = m,
                    Inner = k,
                    XStride = k,
                    WStride = k,
                    YStride = m,
                };
            }) with { Peer = new("product", n, matrixRows, k) };
    }

    private Workload Gemv(string name, int n, int m, int k, GemvInput input, GemvOutput? output)
    {
        // The residual stream is normed by a launch of its own where a block cannot hold it.
        if (!GemvKernel.Fits(n, k, input, target.SharedMemoryPerBlock))
            input = GemvInput.PlainInput;
        var sets = GemvKernel.Sets(m, target.Multiprocessors);
        var weights = (output is null ? 2L : 1L) * m * k * Half;
        var inputBytes = (long)n * k * (input == GemvInput.RmsInput ? sizeof(float) : Half);
        var matrixRows = output is null ? 2 * m : m;
        return Workload.Of<GemvParams>(
            output is null ? "gemv, gated" : "gemv", $"{model.Name} {name} {n}×{matrixRows}×{k}",
            output is { } to ? GemvKernel.Instance(type, sets, input, to) : GemvKernel.Gated(type, input, Models.Activation.Silu),
            output is null
                ? GemvKernel.GatedShape(n, m, k, input, target.Multiprocessors)
                : GemvKernel.Shape(n, m, k, sets, input, target.Multiprocessors),
            weights + inputBytes + OutputBytes(n, m, output), 2.0 * n * matrixRows * k, 0, operands =>
            {
                var y = operands.Zeros((long)n * m * sizeof(float));
                var norm = operands.Random((long)k * sizeof(float), 0);
                var drawn = operands.Upload<int>([.. Enumerable.Repeat(1, n)]);
                return turn => new GemvParams
                {
                    X = operands.Random(inputBytes, turn),
                    Weight = operands.Random(weights, turn),
                    NormWeight = norm,
                    Drawn = drawn,
                    Y = y,
                    Rows = n,
                    Outputs = m,
                    Inner = k,
                    XStride = k,
                    WStride = k,
                    YStride = m,
                    Epsilon = Epsilon,
                };
            }) with { Peer = new("product", n, matrixRows, k) };
    }

    private Workload Quantized(string name, int n, int m, int k, GemvOutput? output, int computeCapability) =>
        n <= QuantizedGemvKernel.MostRows ? QuantizedGemv(name, n, m, k, output) : QuantizedGemm(name, n, m, k, output, computeCapability);

    private Workload QuantizedGemv(string name, int n, int m, int k, GemvOutput? output)
    {
        var matrix = new QuantizedMatrix(output is null ? 2 * m : m, k);
        return Workload.Of<QuantizedGemvParams>(
            output is null ? "quantized_gemv int4, gated" : "quantized_gemv int4", $"{model.Name} {name} {n}×{matrix.Rows}×{k}, groups of {GroupSize}",
            output is { } to ? QuantizedGemvKernel.Instance(type, new(DataType.Int4), to) : QuantizedGemvKernel.Gated(type, new(DataType.Int4), Models.Activation.Silu),
            QuantizedGemvKernel.Shape(m, output is null), matrix.Bytes + ((long)n * k * Half) + OutputBytes(n, m, output), 2.0 * n * matrix.Rows * k, 0, operands =>
            {
                var y = operands.Zeros((long)n * m * sizeof(float));
                return turn => new QuantizedGemvParams
                {
                    X = operands.Random((long)n * k * Half, turn),
                    Weight = matrix.Weight(operands, turn),
                    Y = y,
                    Rows = n,
                    Outputs = m,
                    Inner = k,
                    UpBlock = m / QuantizedLayout.TileRows,
                    XStride = k,
                    YStride = m,
                };
            }) with { Peer = new("product", n, matrix.Rows, k) };
    }

    private Workload QuantizedGemm(string name, int n, int m, int k, GemvOutput? output, int computeCapability)
    {
        var matrix = new QuantizedMatrix(output is null ? 2 * m : m, k);
        var shape = QuantizedGemmKernel.Shape(n, m, k, 4, output is null, target.Multiprocessors);
        return Workload.Of<QuantizedGemmParams>(
            output is null ? "quantized_gemm int4, gated" : "quantized_gemm int4", $"{model.Name} {name} {n}×{matrix.Rows}×{k}, groups of {GroupSize}",
            output is { } to ? QuantizedGemmKernel.Instance(type, new(DataType.Int4), n, to, computeCapability) : QuantizedGemmKernel.Gated(type, new(DataType.Int4), n, Models.Activation.Silu, computeCapability),
            shape, matrix.Bytes + ((long)n * k * Half) + OutputBytes(n, m, output), 2.0 * n * matrix.Rows * k, 0, operands =>
            {
                var y = operands.Zeros((long)n * m * sizeof(float));
                var partial = operands.Zeros(Math.Max(sizeof(float), QuantizedGemmKernel.PartialBytes(shape, n)));
                var counters = operands.Zeros((long)sizeof(int) * QuantizedGemmKernel.Counters(matrix.Rows));
                return turn => new QuantizedGemmParams
                {
                    X = operands.Random((long)n * k * Half, turn),
                    Weight = matrix.Weight(operands, turn),
                    Y = y,
                    Partial = partial,
                    Counters = counters,
                    Rows = n,
                    Outputs = m,
                    Inner = k,
                    UpBlock = m / QuantizedLayout.TileRows,
                    XStride = k,
                    YStride = m,
                };
            }) with { Peer = new("product", n, matrix.Rows, k) };
    }

    private static double OutputBytes(int n, int m, GemvOutput? output) => (double)n * m * output switch
    {
        GemvOutput.Accumulate => 2 * sizeof(float),
        GemvOutput.StoreFloat => sizeof(float),
        _ => Half,
    };

    /// <summary>A 4-bit matrix as numbers, for cuBLAS.</summary>
    public Workload Dequantize(string name, int m, int k)
    {
        var matrix = new QuantizedMatrix(m, k);
        return Workload.Of<DequantizeParams>(
            "dequantize int4", $"{model.Name} {name} {m}×{k}, groups of {GroupSize}", DequantizeKernel.Instance(type, new(DataType.Int4)),
            DequantizeKernel.Shape(matrix.Tiles, matrix.RowBlocks), matrix.Bytes + ((double)m * k * Half), 0, 2.0 * m * k, operands =>
            {
                var y = operands.Zeros((long)m * k * Half);
                return turn => new DequantizeParams { Weight = matrix.Weight(operands, turn), Y = y, Rows = m, Columns = k, Stride = k };
            });
    }

    private Workload Norm(int rows)
    {
        var bytes = (long)rows * model.Hidden * sizeof(float);
        return Workload.Of<NormParams>(
            "norm", $"{model.Name} {rows}×{model.Hidden}", NormKernel.Instance(NormForm.Rms, Float, type), NormKernel.Shape(rows, model.Hidden),
            bytes * 1.5, 0, 4.0 * rows * model.Hidden, operands =>
            {
                var weight = operands.Random((long)model.Hidden * sizeof(float), 0);
                var y = operands.Zeros(bytes / 2);
                return turn => new NormParams
                {
                    X = operands.Random(bytes, turn),
                    Weight = weight,
                    Y = y,
                    Width = model.Hidden,
                    XStride = model.Hidden,
                    YStride = model.Hidden,
                    Epsilon = Epsilon,
                };
            }) with { Peer = new("norm", rows, model.Hidden) };
    }

    private Workload RotaryCacheWrite(CacheLayout cache, int tokens)
    {
        var rows = cache.Sequences * tokens;
        var joint = (long)rows * jointWidth * sizeof(float);
        // Each product read once, its queries, keys and values written once in half the bytes; tables stay in the cache.
        return Workload.Of<RotaryCacheWriteParams>(
            "rotary_cache_write", $"{model.Name} {rows} tokens", RotaryCacheWriteKernel.Instance(DataType.Float16, model.HeadSize),
            RotaryCacheWriteKernel.Shape(rows, model.QueryHeads, model.KeyHeads), joint * 1.5, 0, 3.0 * rows * (queryWidth + (model.KeyHeads * model.HeadSize)), operands =>
            {
                var (positions, slots) = (operands.Upload<int>(cache.LastPositions(tokens)), operands.Upload<int>(cache.Slots(tokens)));
                var (keys, values) = (operands.Zeros(cache.Bytes(model)), operands.Zeros(cache.Bytes(model)));
                var q = operands.Zeros((long)rows * queryWidth * Half);
                return turn => new RotaryCacheWriteParams
                {
                    Qkv = operands.Random(joint, turn),
                    Q = q,
                    Table = operands.Random((long)cache.Positions * model.HeadSize * sizeof(float), 0),
                    Positions = positions,
                    Slots = slots,
                    Keys = keys,
                    Values = values,
                    Tokens = rows,
                    Stride = jointWidth,
                    QStride = queryWidth,
                    QueryHeads = model.QueryHeads,
                    KeyHeads = model.KeyHeads,
                    Rotary = model.HeadSize,
                };
            });
    }

    private Workload AttentionDecode(CacheLayout cache)
    {
        var (batch, positions) = (cache.Sequences, cache.Positions);
        var splits = AttentionDecodeKernel.Splits(positions);
        // A multiply and an add for each score and each weighted value.
        var operations = 4.0 * batch * positions * queryWidth;
        return Workload.Of<AttentionDecodeParams>(
            "attention_decode", $"{model.Name} batch {batch}, context {positions}",
            AttentionDecodeKernel.Instance(new(type, DataType.Float16), model.HeadSize, model.QueryHeads / model.KeyHeads, AttentionVariant.Causal),
            AttentionDecodeKernel.Shape(batch, model.QueryHeads, model.KeyHeads, model.HeadSize, splits),
            (4.0 * batch * positions * model.KeyHeads * model.HeadSize) + (4.0 * batch * queryWidth), 0, operations, operands =>
            {
                var rows = operands.Upload<int>([.. Enumerable.Range(0, batch)]);
                var (last, tables) = (operands.Upload<int>(cache.LastPositions(1)), operands.Upload<int>(cache.Tables()));
                var y = operands.Zeros((long)batch * queryWidth * Half);
                var partial = operands.Zeros(AttentionDecodeKernel.PartialBytes(batch, model.QueryHeads, model.HeadSize, splits));
                var counters = operands.Zeros((long)sizeof(int) * AttentionDecodeKernel.Counters(batch, model.QueryHeads, model.KeyHeads));
                return turn => new AttentionDecodeParams
                {
                    Q = operands.Random((long)batch * queryWidth * Half, turn),
                    Keys = operands.Random(cache.Bytes(model), 2 * turn),
                    Values = operands.Random(cache.Bytes(model), (2 * turn) + 1),
                    Y = y,
                    Partial = partial,
                    Counters = counters,
                    Rows = rows,
                    Tables = rows,
                    Positions = last,
                    BlockTables = tables,
                    Score = Scale,
                    QueryHeads = model.QueryHeads,
                    KeyHeads = model.KeyHeads,
                    QStride = queryWidth,
                    YStride = queryWidth,
                    MaxBlocks = cache.MaxBlocks,
                    Splits = splits,
                };
            }) with { Peer = new("decode", batch, positions, model.QueryHeads, model.KeyHeads, model.HeadSize) };
    }

    private Workload AttentionPrefill(CacheLayout cache, int computeCapability, string name)
    {
        var tokens = cache.Positions;
        var each = AttentionPrefillKernel.TokensPerTile(model.QueryHeads, model.KeyHeads);
        AttentionTile[] tiles = [.. Enumerable.Range(0, (tokens + each - 1) / each).Select(tile => new AttentionTile(0, tile * each))];
        // Half of all pairs of a query and a key are seen.
        return Workload.Of<AttentionPrefillParams>(
            name, $"{model.Name} {tokens} tokens", AttentionPrefillKernel.Instance(new(type, DataType.Float16), model.HeadSize, AttentionVariant.Causal, computeCapability),
            AttentionPrefillKernel.Shape(tiles.Length, model.KeyHeads, model.HeadSize, computeCapability),
            (4.0 * tokens * model.KeyHeads * model.HeadSize) + (4.0 * tokens * queryWidth), 2.0 * tokens * tokens * queryWidth, 0, operands =>
            {
                var (list, ends) = (operands.Upload<AttentionTile>(tiles), operands.Upload(tokens));
                var (positions, tables) = (operands.Upload<int>(cache.LastPositions(tokens)), operands.Upload<int>(cache.Tables()));
                var y = operands.Zeros((long)tokens * queryWidth * Half);
                return turn => new AttentionPrefillParams
                {
                    Q = operands.Random((long)tokens * queryWidth * Half, turn),
                    Keys = operands.Random(cache.Bytes(model), 2 * turn),
                    Values = operands.Random(cache.Bytes(model), (2 * turn) + 1),
                    Y = y,
                    Tiles = list,
                    PromptEnds = ends,
                    Positions = positions,
                    BlockTables = tables,
                    Score = Scale,
                    QueryHeads = model.QueryHeads,
                    KeyHeads = model.KeyHeads,
                    QStride = queryWidth,
                    YStride = queryWidth,
                    MaxBlocks = cache.MaxBlocks,
                    TileTokens = each,
                };
            }) with { Peer = new("prefill", 1, tokens, model.QueryHeads, model.KeyHeads, model.HeadSize) };
    }

    private Workload Activation(int rows)
    {
        var bytes = (long)rows * 2 * model.Intermediate * Half;
        return Workload.Of<ActivationParams>(
            "activation, gated", $"{model.Name} {rows}×{model.Intermediate}", ActivationKernel.Gated(type, Models.Activation.Silu),
            ActivationKernel.Shape(rows, model.Intermediate), bytes * 1.5, 0, 5.0 * rows * model.Intermediate, operands =>
            {
                var y = operands.Zeros(bytes / 2);
                return turn => new ActivationParams
                {
                    X = operands.Random(bytes, turn),
                    Y = y,
                    Rows = rows,
                    Width = model.Intermediate,
                    XStride = 2 * model.Intermediate,
                    YStride = model.Intermediate,
                };
            });
    }

    private Workload CopyRows(int rows)
    {
        var bytes = (long)rows * model.Hidden * sizeof(float);
        return Workload.Of<CopyRowsParams>(
            "copy_rows", $"{model.Name} {rows}×{model.Hidden}", CopyKernels.Rows(Float, type), CopyKernels.RowShape(rows), bytes * 1.5, 0, 0, operands =>
            {
                var y = operands.Zeros(bytes / 2);
                return turn => new CopyRowsParams { X = operands.Random(bytes, turn), Y = y, Width = model.Hidden, XStride = model.Hidden, YStride = model.Hidden };
            });
    }

    /// <summary>What attention gives for heads of OpenLLaMA 3B's size, without the zeros behind them.</summary>
    private Workload CopyHeads(int tokens)
    {
        const int Size = 100;
        var (row, heads) = (HeadSizes.Row(Size), model.QueryHeads);
        return Workload.Of<CopyHeadsParams>(
            "copy_heads", $"{model.Name} {tokens} tokens, {heads} heads of {Size} in rows of {row}", CopyKernels.Heads(type, type), CopyKernels.HeadShape(tokens, heads),
            2.0 * tokens * heads * Size * Half, 0, 0, operands =>
            {
                var y = operands.Zeros((long)tokens * heads * Size * Half);
                return turn => new CopyHeadsParams
                {
                    X = operands.Random((long)tokens * heads * row * Half, turn),
                    Y = y,
                    Tokens = tokens,
                    Heads = heads,
                    XSize = row,
                    YSize = Size,
                    XStride = heads * row,
                    YStride = heads * Size,
                };
            });
    }

    private Workload Sample(int rows, string how, KernelInstance instance, SamplingOptions options)
    {
        var bytes = (long)rows * model.Vocabulary * sizeof(float);
        return Workload.Of<SamplingParams>(
            "sample", $"{model.Name} {how}, {rows}×{model.Vocabulary}", instance, SamplingKernel.Shape(rows), bytes, 0, 0, operands =>
            {
                var sampler = new Sampler(options, model.Vocabulary);
                var each = operands.Upload<DeviceSamplingOptions>([.. Enumerable.Range(0, rows).Select(row => DeviceSamplingOptions.Create(sampler, (ulong)row, -1))]);
                var tokens = operands.Zeros((long)rows * sizeof(int));
                return turn => new SamplingParams
                {
                    Logits = operands.Random(bytes, turn),
                    Options = each,
                    Tokens = tokens,
                    Vocabulary = model.Vocabulary,
                    Stride = model.Vocabulary,
                };
            });
    }

    private ScoreParams Scale => new() { Scale = 1 / MathF.Sqrt(model.HeadSize) };
}
