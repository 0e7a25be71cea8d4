using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Backends.Cuda.Operations;
using Weft.Graph;
using Weft.Interop;
using Weft.KvCache;
using Weft.Models;
using Weft.Sampling;
using Weft.Scheduling;
using Weft.Tensors;

namespace Weft.Backends.Cuda;

/// <summary>
/// A graph on a CUDA device: weights, cache and arena allocated once, every node bound to addresses once. A step copies its input, submits
/// the launches and brings back the tokens drawn, all in one stream; the host waits for tokens alone. Steps of single tokens are captured
/// into a graph a shape and replayed.
/// </summary>
internal sealed class CudaProgram : StepProgram
{
    private readonly StepGraph graph;
    private readonly CudaContext context;
    private readonly Resources resources = new();
    private readonly CudaStream stream;
    private readonly CudaBlas blas;
    private readonly DeviceBatch batch;
    private readonly DeviceBatch? sources;
    private readonly DeviceKvCache cache;
    private readonly DrawnTokens drawn;
    private readonly DeviceTokenCounts counts;
    private readonly List<DeviceRotaryTable> rotaryTables = [];
    private readonly CudaProgramContext shared;
    private readonly CudaProgramContext? encoding;
    private readonly List<CudaOperation> operations;
    private readonly int encoderOperations; // how many of them, the first, are of sources
    private readonly CudaDeviceMemory arena;
    private readonly CudaPinnedMemory logits;
    private readonly long logitsOffset;
    private readonly CudaPinnedMemory hidden;
    private readonly long hiddenOffset;
    private readonly int tokensPerTile;
    private readonly Dictionary<StepShape, CudaGraphExec?> captured = [];
    private readonly Action<StepShape, StepShape> submitStep;

    public CudaProgram(StepGraph graph, IModelWeights source, StepBatch stepBatch, CudaContext context, AttentionTypes types, CudaOptions options)
    {
        this.graph = graph;
        this.context = context;
        Batch = stepBatch;
        ActivationType = types.Result;
        CacheType = types.Cache;
        submitStep = Submit;
        try
        {
            var model = source.Model;
            var layout = new ValueLayout(graph, types);
            var rows = Math.Max(stepBatch.MostTokens, StepShape.LargestBucket(stepBatch.MaxSequences));
            var logitRows = Math.Max(stepBatch.MaxLogitRows, StepShape.LargestBucket(stepBatch.MaxSequences));
            var plan = MemoryPlan.Create(graph, rows, logitRows, layout.RowBytes);
            tokensPerTile = model.Attentions.Select(attention => AttentionPrefillKernel.TokensPerTile(attention)).DefaultIfEmpty(1).Min();
            stream = resources.Add(CudaStream.Create(context));
            var kernels = resources.Add(KernelLibrary.Create(context));
            blas = resources.Add(new CudaBlas(context));
            cache = resources.Add(new DeviceKvCache(context, stream, kernels, model, types.Cache, options.CacheBlocks));
            var states = resources.Add(new DeviceStates(context, options.StateSlots, graph.StateSize));
            arena = resources.Add(CudaDeviceMemory.Allocate(context, plan.Size));
            drawn = resources.Add(new DrawnTokens(context, logitRows));
            counts = resources.Add(new DeviceTokenCounts(context, stepBatch.MaxSequences, model.VocabularySize));
            batch = OnDevice(stepBatch);
            sources = stepBatch.Source is { } of ? OnDevice(of) : null;
            logits = resources.Add(CudaPinnedMemory.Allocate(context, logitRows * layout.RowBytes(graph.Logits)));
            logitsOffset = plan.Offset(graph.Logits);
            hidden = resources.Add(CudaPinnedMemory.Allocate(context, logitRows * layout.RowBytes(graph.Hidden)));
            hiddenOffset = plan.Offset(graph.Hidden);
            var weights = resources.Add(new DeviceWeights(context, stream, source, types.Result));
            shared = Over(batch);
            encoding = sources is null ? null : Over(sources);
            operations = new GraphBinder(
                shared, encoding, weights, cache, Rotary, Workspace(model, options), ProductWorkspace(graph, source, types.Result, rows, options.BatchInvariant), drawn, counts, tokensPerTile).Bind(graph);
            encoderOperations = graph.Nodes.Count(node => node.IsOfSource);
            weights.Finish();
            kernels.Load(operations.SelectMany(operation => operation.Kernels));
            if (!options.BatchInvariant)
                MeasuredChoices = new ProductTimer(context, stream, value => value.Rows == Rows.Logits ? logitRows : rows).Choose(operations, options.Ways);
            WorkingBytes = arena.Bytes + DeviceKvCache.CountBytes(model, types.Cache, options.CacheBlocks) + DeviceStates.CountBytes(options.StateSlots, graph.StateSize);

            DeviceBatch OnDevice(StepBatch rows) => resources.Add(new DeviceBatch(
                context, rows, counts, AttentionPrefillKernel.MostTiles(rows.MaxTokens, rows.MaxSequences, tokensPerTile)));

            CudaProgramContext Over(DeviceBatch rows) =>
                new(context, stream, kernels, blas, rows, states, layout, options.BatchInvariant, value => arena.Address + (nuint)plan.Offset(value));

            DeviceRotaryTable Rotary(RotaryDescription rotary, int headSize)
            {
                var table = resources.Add(new DeviceRotaryTable(context, stream, rotary, headSize, options.MaxPositions, rows));
                rotaryTables.Add(table);
                return table;
            }
        }
        catch
        {
            resources.Dispose();
            throw;
        }
    }

    public override StepBatch Batch { get; }

    public override string DeviceName => $"{(CudaLibraries.Selected == CudaPlatform.Simulator ? "sim" : "cuda")} ({context.Device.Name})";

    public override DataType CacheType { get; }

    public override DataType ActivationType { get; }

    public override long WorkingBytes { get; }

    public override IReadOnlyList<string> MeasuredChoices { get; } = [];

    public override bool RunsAhead => true;

    public override bool TellsDrawnApart => shared.IsBatchInvariant;

    public override long Submit()
    {
        SubmitStep(submitStep);
        return LastStep;
    }

    public override IReadOnlyList<NodeTime> SubmitTimed()
    {
        var launches = new int[operations.Count];
        var points = Enumerable.Range(0, operations.Count + 1).Select(_ => CudaEvent.Create(context, EventTiming.Timed)).ToList();
        try
        {
            SubmitStep((sourceShape, shape) =>
            {
                points[0].Record(stream);
                for (var i = 0; i < operations.Count; i++)
                {
                    var before = Launches;
                    Run(i, sourceShape, shape);
                    points[i + 1].Record(stream);
                    launches[i] = (int)(Launches - before);
                }

                points[^1].Synchronize();
            });
            return [.. operations.Select((_, i) => new NodeTime(
                i < graph.Nodes.Count ? graph.Nodes[i] : null, CudaEvent.ElapsedMilliseconds(points[i], points[i + 1]) * 1000.0, launches[i]))];
        }
        finally
        {
            points.ForEach(point => point.Dispose());
        }
    }

    public override ReadOnlySpan<int> Receive(long step)
    {
        try
        {
            context.MakeCurrent();
            return drawn.Receive(step);
        }
        catch (InteropException exception)
        {
            throw Failure(exception);
        }
    }

    public override Span<float> Logits(int row) =>
        logits.AsSpan<float>((long)row * ValueLayout.Stride(graph.Logits) * sizeof(float), graph.Logits.Width);

    public override ReadOnlySpan<float> Hidden(int row) =>
        hidden.AsSpan<float>((long)row * ValueLayout.Stride(graph.Hidden) * sizeof(float), graph.Hidden.Width);

    public override void CopyBlock(BlockCopy copy)
    {
        try
        {
            context.MakeCurrent();
            cache.CopyBlock(copy.Source, copy.Destination);
        }
        catch (InteropException exception)
        {
            throw Failure(exception);
        }
    }

    public override void Forget(Sampler sampler) => counts.Forget(sampler);

    protected override void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        foreach (var exec in captured.Values)
            exec?.Dispose();
        resources.Dispose();
        context.Dispose();
    }

    private static WeftException Failure(InteropException exception) => new(
        exception is CudaException { IsContextLost: true }
            ? $"{exception.Message}; the GPU has lost this model: load it again, in a new process if that fails too"
            : exception.Message,
        exception);

    private long Launches => shared.Launches + (encoding?.Launches ?? 0);

    /// <summary>Copies the batch, submits its operations and sets off what brings the tokens back.</summary>
    /// <param name="submit">Takes the shape of the sources to encode, without tokens where there are none, and that of the tokens.</param>
    private void SubmitStep(Action<StepShape, StepShape> submit)
    {
        try
        {
            context.MakeCurrent();
            foreach (var table in rotaryTables)
                table.Prepare(Batch);
            var shape = StepShape.Of(Batch, tokensPerTile);
            batch.Copy(shape, tokensPerTile, stream);
            var sourceShape = default(StepShape);
            if (Batch.Source is { TokenCount: > 0 } source)
            {
                sourceShape = StepShape.Of(source, tokensPerTile);
                sources!.Copy(sourceShape, tokensPerTile, stream);
            }

            submit(sourceShape, shape);
            LastStep++;
            if (Batch.LogitRowCount > 0)
                Bring();
        }
        catch (InteropException exception)
        {
            throw Failure(exception);
        }
    }

    /// <summary>
    /// Sources are encoded launch by launch. Of the rest, the first step of a shape is submitted launch by launch, which also chooses algorithms; the second
    /// is captured on the way.
    /// </summary>
    private void Submit(StepShape sourceShape, StepShape shape)
    {
        for (var i = 0; i < encoderOperations; i++)
            Run(i, sourceShape, shape);
        if (!shape.IsCapturable)
        {
            SubmitOperations(shape);
            return;
        }

        if (!captured.TryGetValue(shape, out var exec))
        {
            SubmitOperations(shape);
            captured[shape] = null;
            return;
        }

        if (exec is null)
            captured[shape] = exec = Capture(shape);

        exec.Launch(stream);
    }

    /// <summary>Tokens of rows that have a sampler; logits of the others, if there are any; what the final norm read, if that is asked for.</summary>
    private void Bring()
    {
        if (Batch.Samplers.AsSpan(0, Batch.LogitRowCount).Contains(null))
            arena.CopyToAsync(logits.Address, logitsOffset, Batch.LogitRowCount * (long)ValueLayout.Stride(graph.Logits) * sizeof(float), stream);
        if (Batch.ReadHidden)
            arena.CopyToAsync(hidden.Address, hiddenOffset, Batch.LogitRowCount * (long)ValueLayout.Stride(graph.Hidden) * sizeof(float), stream);
        drawn.Bring(LastStep, Batch.LogitRowCount, stream);
    }

    private CudaGraphExec Capture(in StepShape shape)
    {
        stream.BeginCapture();
        try
        {
            SubmitOperations(shape);
        }
        catch
        {
            stream.AbandonCapture();
            throw;
        }

        using var recorded = stream.EndCapture();
        return recorded.Instantiate();
    }

    private void SubmitOperations(in StepShape shape)
    {
        for (var i = encoderOperations; i < operations.Count; i++)
            operations[i].Run(shape);
    }

    private void Run(int operation, in StepShape sourceShape, in StepShape shape)
    {
        if (operation >= encoderOperations)
            operations[operation].Run(shape);
        else if (sourceShape.Tokens > 0)
            operations[operation].Run(sourceShape);
    }

    private DecodeWorkspace Workspace(ModelDescription model, CudaOptions options)
    {
        var (partial, counters) = DecodeWorkspace.CountBytes(model, Batch, options.MaxPositions);
        if (partial == 0)
            return new(0, 0, DecodeWorkspace.CountPlaces(Batch));
        var memory = resources.Add(CudaDeviceMemory.Allocate(context, partial));
        var counts = resources.Add(CudaDeviceMemory.Allocate(context, counters));
        counts.FillAsync(0, stream);
        return new(memory.Address, counts.Address, DecodeWorkspace.CountPlaces(Batch));
    }

    private ProductWorkspace ProductWorkspace(StepGraph graph, IModelWeights source, DataType type, int rows, bool isBatchInvariant)
    {
        var (numbers, input, counters) = DeviceWeights.CountWorkspace(graph, source, type, rows, context.Device.Multiprocessors, isBatchInvariant);
        var zeros = Allocate(counters);
        zeros?.FillAsync(0, stream);
        return new(Allocate(numbers)?.Address ?? 0, Allocate(input)?.Address ?? 0, zeros?.Address ?? 0);

        CudaDeviceMemory? Allocate(long bytes) => bytes == 0 ? null : resources.Add(CudaDeviceMemory.Allocate(context, bytes));
    }
}
