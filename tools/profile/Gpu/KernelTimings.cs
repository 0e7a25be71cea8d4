using System.Runtime.CompilerServices;
using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Sampling;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Profile.Gpu;

/// <summary>Kernels at the shapes of real models, and the copy and matrix ceilings that they are held to.</summary>
internal sealed class KernelTimings : IDisposable
{
    private const int Repeats = 15;
    private const DataType Type = DataType.BFloat16;
    private const int GroupSize = 128;

    private readonly CudaContext context;
    private readonly CudaStream stream;
    private readonly KernelLibrary kernels;
    private readonly CudaBlas blas;
    private readonly KernelTimer timer;
    private readonly GpuBuffers buffers;
    private readonly List<GpuRow> rows = [];
    private readonly bool isTrial;
    private Ceilings ceilings;

    public KernelTimings(CudaContext context, bool isTrial)
    {
        this.context = context;
        this.isTrial = isTrial;
        stream = CudaStream.Create(context);
        kernels = KernelLibrary.Create(context);
        blas = new CudaBlas(context);
        timer = new KernelTimer(context, stream);
        buffers = new GpuBuffers(context, stream, isTrial ? 32L << 20 : 4L << 30);
    }

    /// <summary>Measures everything.</summary>
    /// <param name="models">At whose shapes.</param>
    /// <param name="note">Is told what is going on.</param>
    /// <param name="cancellationToken">Stops between two kernels.</param>
    public (Ceilings Ceilings, IReadOnlyList<GpuRow> Rows) Measure(
        IEnumerable<ModelShape> models, Action<string> note, CancellationToken cancellationToken)
    {
        note("measuring the ceilings");
        ceilings = MeasureCeilings();
        foreach (var model in models)
        {
            cancellationToken.ThrowIfCancellationRequested();
            note($"kernels at the shapes of {model.Name}");
            Products(model, cancellationToken);
            Norm(model);
            foreach (var (batch, positions) in isTrial ? [(2, 300)] : ((int, int)[])[(1, 4096), (16, 4096), (64, 4096)])
                Decode(model, batch, positions);
            foreach (var tokens in isTrial ? [100] : (int[])[2048, 16384])
                Prefill(model, tokens);
            Sample(model);
        }

        return (ceilings, rows);
    }

    public void Dispose()
    {
        buffers.Dispose();
        timer.Dispose();
        blas.Dispose();
        kernels.Dispose();
        stream.Dispose();
    }

    private Ceilings MeasureCeilings()
    {
        var bytes = isTrial ? 1L << 20 : 1L << 30;
        using var target = CudaDeviceMemory.Allocate(context, 2 * bytes);
        var copy = timer.Measure(_ => target.CopyFromAsync(target, 0, bytes, bytes, stream), Repeats);
        var n = isTrial ? 64 : 8192;
        using var y = CudaDeviceMemory.Allocate(context, (long)n * n * 2);
        var shape = new ProductShape(n, n, n, n, n, n, MatrixType.BFloat16, MatrixType.BFloat16);
        var product = timer.Measure(
            i => blas.Multiply(stream, shape, new(buffers.Random((long)n * n * 2, i), buffers.Random((long)n * n * 2, i + 1), y.Address)), Repeats);
        return new(2 * bytes / (copy.Median * 1e-6), 2.0 * n * n * n / (product.Median * 1e-6));
    }

    private void Products(ModelShape model, CancellationToken cancellationToken)
    {
        var qkv = (model.QueryHeads + (2 * model.KeyHeads)) * model.HeadSize;
        (string Name, int M, int K)[] products =
        [
            ("qkv", qkv, model.Hidden), ("output", model.Hidden, model.QueryHeads * model.HeadSize), ("gate+up", 2 * model.Intermediate, model.Hidden),
            ("down", model.Hidden, model.Intermediate), ("head", model.Vocabulary, model.Hidden),
        ];
        foreach (var (name, m, k) in products)
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (var n in (int[])[1, 4, 8])
            {
                if (GemvKernel.Fits(n, k, GemvInput.PlainInput, context.Device))
                    Gemv($"{model.Name} {name}", n, m, k);
            }

            foreach (var n in isTrial ? [16] : (int[])[1, 8, 16, 64, 512])
                Blas($"{model.Name} {name}", n, m, k);
            if (name != "head" && k % GroupSize == 0)
            {
                foreach (var n in isTrial ? [1, 16] : (int[])[1, 8, 16, 64, 512])
                    Quantized($"{model.Name} {name}", n, m, k);
            }
        }
    }

    private void Gemv(string name, int n, int m, int k)
    {
        var multiprocessors = context.Device.Multiprocessors;
        var sets = GemvKernel.Sets(m, multiprocessors);
        using var y = CudaDeviceMemory.Allocate(context, (long)n * m * 4);
        var kernel = kernels.Get(GemvKernel.Instance(Type, sets, GemvInput.PlainInput, GemvOutput.StoreFloat));
        var weights = (long)m * k * 2;
        var shape = GemvKernel.Shape(n, m, k, sets, GemvInput.PlainInput, multiprocessors);
        Add($"gemv, {sets * 16} rows a block", $"{name} {n}×{m}×{k}", new("product", n, m, k), weights + (n * (m * 4L)) + (n * k * 2L), 2.0 * n * m * k, i => kernel.Launch(stream, shape, new GemvParams
        {
            X = buffers.Random((long)n * k * 2, i),
            Weight = buffers.Random(weights, i),
            Y = y.Address,
            Rows = n,
            Outputs = m,
            Inner = k,
            XStride = k,
            WStride = k,
            YStride = m,
        }));
    }

    private void Blas(string name, int n, int m, int k)
    {
        using var y = CudaDeviceMemory.Allocate(context, (long)n * m * 4);
        var weights = (long)m * k * 2;
        var shape = new ProductShape(n, m, k, k, k, m, MatrixType.BFloat16, MatrixType.BFloat16);
        Add("cuBLAS", $"{name} {n}×{m}×{k}", new("product", n, m, k), weights + (n * (m + k) * 2L), 2.0 * n * m * k, i =>
            blas.Multiply(stream, shape, new(buffers.Random((long)n * k * 2, i), buffers.Random(weights, i), y.Address)));
    }

    /// <summary>4 bits a weight: our product for few rows; numbers in a workspace and cuBLAS beyond.</summary>
    private void Quantized(string name, int n, int m, int k)
    {
        var (blocks, tiles) = ((m + QuantizedLayout.TileRows - 1) / QuantizedLayout.TileRows, k / 64);
        var (codes, scales) = ((long)blocks * tiles * QuantizedLayout.TileBytes, (long)blocks * (k / GroupSize) * QuantizedLayout.TileRows * sizeof(ushort));
        using var y = CudaDeviceMemory.Allocate(context, (long)n * m * 4);
        QuantizedWeight Weight(int i) => new()
        {
            Codes = buffers.Random(codes, i),
            Scales = buffers.Random(scales, i),
            Tiles = tiles,
            Groups = k / GroupSize,
            GroupSize = GroupSize,
        };
        var shape = $"{name} {n}×{m}×{k}, groups of {GroupSize}";
        var bytes = codes + scales + (n * (m * 4L)) + (n * k * 2L);
        var work = new PeerWork("product", n, m, k);
        if (n <= QuantizedGemvKernel.MostRows)
        {
            var kernel = kernels.Get(QuantizedGemvKernel.Instance(Type, 4, GemvOutput.StoreFloat));
            Add("quantized_gemv int4", shape, work, bytes, 2.0 * n * m * k, i => kernel.Launch(stream, QuantizedGemvKernel.Shape(m, false), new QuantizedGemvParams
            {
                X = buffers.Random((long)n * k * 2, i),
                Weight = Weight(i),
                Y = y.Address,
                Rows = n,
                Outputs = m,
                Inner = k,
                XStride = k,
                YStride = m,
            }));
            return;
        }

        using var numbers = CudaDeviceMemory.Allocate(context, (long)m * k * 2);
        var dequantize = kernels.Get(DequantizeKernel.Instance(Type, 4));
        var product = new ProductShape(n, m, k, k, k, m, MatrixType.BFloat16, MatrixType.BFloat16);
        Add("dequantize int4, cuBLAS", shape, work, bytes, 2.0 * n * m * k, i =>
        {
            dequantize.Launch(stream, DequantizeKernel.Shape(tiles, blocks), new DequantizeParams { Weight = Weight(i), Y = numbers.Address, Rows = m, Columns = k, Stride = k });
            blas.Multiply(stream, product, new(buffers.Random((long)n * k * 2, i), numbers.Address, y.Address));
        });
    }

    private void Norm(ModelShape model)
    {
        var count = isTrial ? 5 : 16384;
        using var y = CudaDeviceMemory.Allocate(context, (long)count * model.Hidden * 2);
        var weight = buffers.Random(model.Hidden * 4, 0);
        var kernel = kernels.Get(NormKernel.Instance(NormForm.Rms, DataType.Float32, Type));
        var bytes = (long)count * model.Hidden * 4;
        Add("norm", $"{model.Name} {count}×{model.Hidden}", new("norm", count, model.Hidden), bytes * 1.5, 0, i => kernel.Launch(stream, NormKernel.Shape(count, model.Hidden), new NormParams
        {
            X = buffers.Random(bytes, i),
            Weight = weight,
            Y = y.Address,
            Width = model.Hidden,
            XStride = model.Hidden,
            YStride = model.Hidden,
            Epsilon = 1e-5f,
        }));
    }

    private void Decode(ModelShape model, int batch, int positions)
    {
        using var cache = new GpuCache(context, batch, positions, positions - 1, 1);
        var layer = (long)cache.Blocks * model.KeyHeads * GpuCache.BlockSize * model.HeadSize * 2;
        var splits = AttentionDecodeKernel.Splits(positions);
        var width = model.QueryHeads * model.HeadSize;
        using var y = CudaDeviceMemory.Allocate(context, (long)batch * width * 2);
        using var partial = CudaDeviceMemory.Allocate(context, AttentionDecodeKernel.PartialBytes(batch, model.QueryHeads, model.HeadSize, splits));
        using var counters = CudaDeviceMemory.Allocate(context, 4L * AttentionDecodeKernel.Counters(batch, model.QueryHeads, model.KeyHeads));
        counters.FillAsync(0, stream);
        var kernel = kernels.Get(AttentionDecodeKernel.Instance(Type, model.HeadSize, model.QueryHeads / model.KeyHeads, AttentionVariant.Causal));
        var shape = AttentionDecodeKernel.Shape(batch, model.QueryHeads, model.KeyHeads, model.HeadSize, splits);
        var operations = 4.0 * batch * positions * model.QueryHeads * model.HeadSize;
        Add("attention_decode", $"{model.Name} batch {batch}, context {positions}", new("decode", batch, positions, model.QueryHeads, model.KeyHeads, model.HeadSize), 2.0 * layer, operations, i => kernel.Launch(stream, shape, new AttentionDecodeParams
        {
            Q = buffers.Random((long)batch * width * 2, i),
            Keys = buffers.Random(layer, 2 * i),
            Values = buffers.Random(layer, (2 * i) + 1),
            Y = y.Address,
            Partial = partial.Address,
            Counters = counters.Address,
            Rows = cache.Rows,
            Tables = cache.Rows,
            Positions = cache.Positions,
            BlockTables = cache.Tables,
            Score = new ScoreParams { Scale = 1 / MathF.Sqrt(model.HeadSize) },
            QueryHeads = model.QueryHeads,
            KeyHeads = model.KeyHeads,
            QStride = width,
            YStride = width,
            MaxBlocks = cache.MaxBlocks,
            Splits = splits,
        }));
    }

    private void Prefill(ModelShape model, int tokens)
    {
        using var cache = new GpuCache(context, 1, tokens, 0, tokens);
        var layer = (long)cache.Blocks * model.KeyHeads * GpuCache.BlockSize * model.HeadSize * 2;
        var width = model.QueryHeads * model.HeadSize;
        using var y = CudaDeviceMemory.Allocate(context, (long)tokens * width * 2);
        var each = AttentionPrefillKernel.TokensPerTile(model.QueryHeads, model.KeyHeads);
        var list = Enumerable.Range(0, (tokens + each - 1) / each).Select(tile => new AttentionTile(0, tile * each)).ToArray();
        using var tiles = CudaDeviceMemory.Allocate(context, 8L * list.Length);
        tiles.CopyFrom<AttentionTile>(list);
        var operations = 2.0 * tokens * tokens * width;
        foreach (var (name, generation) in Generations())
        {
            var kernel = kernels.Get(AttentionPrefillKernel.Instance(Type, model.HeadSize, AttentionVariant.Causal, generation));
            var shape = AttentionPrefillKernel.Shape(list.Length, model.KeyHeads, model.HeadSize, generation);
            Add(name, $"{model.Name} {tokens} tokens", new("prefill", 1, tokens, model.QueryHeads, model.KeyHeads, model.HeadSize), (2.0 * layer) + (2.0 * tokens * width * 2), operations, i => kernel.Launch(stream, shape, new AttentionPrefillParams
            {
                Q = buffers.Random((long)tokens * width * 2, i),
                Keys = buffers.Random(layer, 2 * i),
                Values = buffers.Random(layer, (2 * i) + 1),
                Y = y.Address,
                Tiles = tiles.Address,
                SequenceStarts = cache.Starts,
                Positions = cache.Positions,
                BlockTables = cache.Tables,
                Score = new ScoreParams { Scale = 1 / MathF.Sqrt(model.HeadSize) },
                QueryHeads = model.QueryHeads,
                KeyHeads = model.KeyHeads,
                QStride = width,
                YStride = width,
                MaxBlocks = cache.MaxBlocks,
                TileTokens = each,
            }));
        }

        IEnumerable<(string Name, int ComputeCapability)> Generations()
        {
            var device = context.Device.ComputeCapability;
            yield return ("attention_prefill", device);
            // Says whether wgmma pays.
            if (device == AttentionPrefillKernel.WarpgroupCapability)
                yield return ("attention_prefill, mma.sync", 80);
        }
    }

    private void Sample(ModelShape model)
    {
        var count = isTrial ? 2 : 64;
        var bytes = (long)count * model.Vocabulary * sizeof(float);
        using var tokens = CudaDeviceMemory.Allocate(context, count * sizeof(int));
        foreach (var (name, kernel, how) in ((string, KernelInstance, SamplingOptions)[])
            [("greedy", SamplingKernel.Greedy, new()), ("top-k 50, top-p 0.9", SamplingKernel.Draw, new() { Temperature = 0.8f, TopK = 50, TopP = 0.9f, Seed = 1 })])
        {
            var sampler = new Sampler(how, model.Vocabulary);
            using var options = CudaDeviceMemory.Allocate(context, (long)count * Unsafe.SizeOf<DeviceSamplingOptions>());
            options.CopyFrom<DeviceSamplingOptions>([.. Enumerable.Range(0, count).Select(row => DeviceSamplingOptions.Create(sampler, (ulong)row, -1))]);
            var loaded = kernels.Get(kernel);
            Add("sample", $"{model.Name} {name}, {count}×{model.Vocabulary}", null, bytes, 0, i => loaded.Launch(stream, SamplingKernel.Shape(count), new SamplingParams
            {
                Logits = buffers.Random(bytes, i),
                Options = options.Address,
                Tokens = tokens.Address,
                Vocabulary = model.Vocabulary,
                Stride = model.Vocabulary,
            }));
        }
    }

    private void Add(string kernel, string shape, PeerWork? work, double bytes, double operations, Action<int> launch)
    {
        var (median, min, max) = timer.Measure(launch, Repeats);
        rows.Add(new(kernel, shape, work, median, min, max, bytes, operations, ceilings.Floor(bytes, operations)));
    }
}
