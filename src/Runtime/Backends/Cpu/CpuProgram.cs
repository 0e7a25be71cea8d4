using System.Diagnostics;
using System.Runtime.InteropServices;
using Weft.Backends.Cpu.Attention;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Operations;
using Weft.Backends.Cpu.Quantized;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
using Weft.KvCache;
using Weft.Models;
using Weft.Sampling;
using Weft.Scheduling;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Backends.Cpu;

/// <summary>A graph on the CPU: every node bound to addresses once, then run in order with the items of each spread over the threads.</summary>
internal sealed unsafe partial class CpuProgram<TSimd, TVector, TCache> : StepProgram
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TCache : struct, ICacheFormat
{
    private readonly StepGraph graph;
    private readonly MemoryPlan plan;
    private readonly WeftFile file;
    private readonly CpuOptions options;
    private readonly NativeBuffer arena;
    private readonly CpuKvCache cache;
    private readonly NativeBuffer states;
    private readonly List<RotaryTable> rotaryTables = [];
    private readonly List<NativeBuffer> constants = [];
    private readonly Dictionary<FeedForwardDescription, ExpertRouting> routings = [];
    private readonly ProgramContext tokens;
    private readonly ProgramContext? sources;
    private readonly WorkerPool pool;
    private readonly BoundNode[] operations;
    private readonly int[] drawn;
    private ProgramContext context; // of the node that is being bound

    public CpuProgram(StepGraph graph, WeftFile file, StepBatch batch, CpuOptions options)
    {
        this.graph = graph;
        plan = MemoryPlan.Create(graph, batch.MostTokens, batch.MaxLogitRows, value => value.Width * sizeof(float));
        this.file = file;
        this.options = options;
        Batch = batch;
        arena = new NativeBuffer(plan.Size);
        cache = new CpuKvCache(file.Header.Model, options.CacheType, options.CacheBlocks);
        states = new NativeBuffer((long)options.StateSlots * graph.StateSize * sizeof(float));
        context = tokens = new ProgramContext(batch, options.Threads, ScratchFloats(), PackedFloats()) { States = (float*)states.Address, StateSize = graph.StateSize };
        sources = batch.Source is { } source ? tokens.Over(source) : null;
        pool = new WorkerPool(options.Threads);
        operations = [.. graph.Nodes.SelectMany(node => Bind(node).Select(operation => new BoundNode(node, operation)))];
        drawn = new int[batch.MaxLogitRows];
    }

    public override StepBatch Batch { get; }

    public override string DeviceName =>
        $"cpu ({options.Instructions.Name()}, {options.Threads} {(options.Threads == 1 ? "thread" : "threads")})";

    public override DataType CacheType => options.CacheType;

    public override DataType ActivationType => DataType.Float32;

    public override long WorkingBytes => arena.Bytes + cache.Bytes + states.Bytes;

    public override bool RunsAhead => false;

    public override bool TellsDrawnApart => false;

    public override long Submit()
    {
        foreach (var (_, operation) in operations)
            pool.Run(operation, operation.Prepare());
        Draw();
        return ++LastStep;
    }

    public override IReadOnlyList<NodeTime> SubmitTimed()
    {
        var times = new List<NodeTime>(operations.Length + 1);
        foreach (var (node, operation) in operations)
        {
            var start = Stopwatch.GetTimestamp();
            pool.Run(operation, operation.Prepare());
            times.Add(new(node, Stopwatch.GetElapsedTime(start).TotalMicroseconds, 0));
        }

        var drawing = Stopwatch.GetTimestamp();
        Draw();
        times.Add(new(null, Stopwatch.GetElapsedTime(drawing).TotalMicroseconds, 0));
        LastStep++;
        return times;
    }

    public override ReadOnlySpan<int> Receive(long step) => step == LastStep
        ? drawn.AsSpan(0, Batch.LogitRowCount)
        : throw new InvalidOperationException($"Step {step} was not received before step {LastStep} was submitted.");

    public override Span<float> Logits(int row)
    {
        var width = graph.Logits.Width;
        return new(Address(graph.Logits) + ((nint)row * width), width);
    }

    public override ReadOnlySpan<float> Hidden(int row) => new(Address(graph.Hidden) + ((nint)row * graph.Hidden.Width), graph.Hidden.Width);

    public override void CopyBlock(BlockCopy copy) => cache.CopyBlock(copy.Source, copy.Destination);

    public override void Forget(Sampler sampler)
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        pool.Dispose();
        tokens.Dispose();
        cache.Dispose();
        states.Dispose();
        arena.Dispose();
        foreach (var table in rotaryTables)
            table.Dispose();
        constants.ForEach(buffer => buffer.Dispose());
        foreach (var routing in routings.Values)
            routing.Dispose();
    }

    private void Draw()
    {
        for (var row = 0; row < Batch.LogitRowCount; row++)
        {
            if (Batch.Samplers[row] is { } sampler)
                drawn[row] = sampler.TrySample(Logits(row));
        }
    }

    private IEnumerable<Operation> Bind(Node node)
    {
        context = node.IsOfSource ? sources! : tokens;
        return BindNode(node);
    }

    private IEnumerable<Operation> BindNode(Node node) => node switch
    {
        EmbeddingNode n => [new EmbeddingOperation<TSimd, TVector>(
            context, file.Find(n.Weight).DataType, Weight(n.Weight), n.Scale, n.Positions is { } table ? Positions(table, n.Y) : null, n.Y.Width, Address(n.Y))],
        VirtualRowsNode n => [new VirtualRowsOperation(context, n, Widened(n.Table), Address(n.X))],
        VirtualKeysNode n => [new VirtualKeysOperation<TSimd, TVector, TCache>(context, n, Widened(n.Table), cache.Keys(n.Cache), cache.Values(n.Cache))],
        AddPositionsNode n => [new AddPositionsOperation(context, n, Positions(n.Positions, n.Y), Address(n.X), Address(n.Y))],
        PositionRowsNode n => [new PositionRowsOperation(context, n, Positions(n.Positions, n.Y), Address(n.Y))],
        JoinNode n => [new JoinOperation(context, n, Address(n.A), Address(n.B), Address(n.Y))],
        NormNode n => [new NormOperation<TSimd, TVector>(context, n, Norm(n.Norm, n.Name), Address(n.X), Address(n.Y))],
        HeadNormNode n => [BindHeadNorm(n)],
        AddNode n => [new AddOperation(context, n, Address(n.A), Address(n.B), Address(n.Y))],
        GateHalvesNode n => [new GateHalvesOperation<TSimd, TVector>(context, n, Address(n.Y))],
        GateNode n => [new GateOperation<TSimd, TVector>(context, n, Address(n.Gate), Address(n.Up), Address(n.Y))],
        RecurrentNode n => [BindRecurrent(n)],
        ExpertsNode n => BindExperts(n),
        SwitchNode n => [new SwitchOperation(context, n.X.Width, Address(n.Switch), Address(n.X), Address(n.Y))],
        ClampNode n => [new ClampOperation(context, n, Address(n.X), Address(n.Y))],
        ScaleLogitsNode n => [new ScaleLogitsOperation(context, n, n.Head.RowScale ? Vector(TensorSchema.HeadRowScale) : null, Address(n.X))],
        FusedLinearNode n => BindLinear(n),
        RotaryCacheWriteNode n => [BindRotary(n)],
        HeadLinearNode n => [BindHeadLinear(n)],
        LatentWriteNode n => [BindLatentWrite(n)],
        AttentionNode n => [BindAttention(n)],
        GatherRowsNode n => [new GatherRowsOperation(context, n.X.Width, Address(n.X), Address(n.Y))],
        _ => throw new NotSupportedException($"the CPU backend has no kernel for a {node.GetType().Name} that was not fused"),
    };

    private IReadOnlyList<Operation> BindLinear(FusedLinearNode node)
    {
        var first = file.Find(node.Segments[0].Weight);
        var inputs = HasIntegers(first) ? Inputs(node.Segments) : [];
        var rows = Place(inputs, MaxRows(node));
        var segments = new BoundSegment[node.Segments.Count];
        for (var i = 0; i < segments.Length; i++)
        {
            var segment = node.Segments[i];
            var input = inputs.Count > 0 ? inputs[i] : null;
            segments[i] = new(
                input is not null ? QuantizedMatMul.Create(file.Find(segment.Weight).Tiles, input, options.Instructions) : Kernel(file.Find(segment.Weight)),
                Weight(segment.Weight),
                segment.Bias is { } bias ? Vector(bias) : null,
                segment.Rows,
                input is not null ? (float*)rows.Find(row => row.Input == input).Address : context.Packed);
        }

        var product = new LinearOperation<TSimd, TVector>(context, node, segments, first.Shape[1], Address(node.X), Address(node.Y) + node.Column);
        return inputs.Count > 0 ? [new QuantizeOperation(context, node.X, (nint)Address(node.X), [.. rows]), product] : [product];
    }

    private IReadOnlyList<Operation> BindExperts(ExpertsNode node)
    {
        var (block, c) = (node.FeedForward, node.X.Width);
        var f = block.IntermediateSize;
        // Layers run one after the other: those that are alike share their working memory.
        if (!routings.TryGetValue(block, out var routing))
            routings[block] = routing = new ExpertRouting(block, c, Batch.MostTokens);
        return
        [
            new RouteOperation(context, routing, Address(node.Router), block.Experts!.SelectionBias ? Vector(node.Name + TensorSchema.SelectionBias) : null, Address(node.X)),
            .. Project(node.Inner, block, routing.Inputs, c, c, routing.Hidden, routing.HiddenWidth),
            .. Project([node.Outer], null, routing.Hidden, routing.HiddenWidth, f, routing.Outputs, c),
            new CombineOperation(context, routing, Address(node.Y)),
        ];

        IReadOnlyList<Operation> Project(IReadOnlyList<LinearSegment> segments, FeedForwardDescription? epilogue, float* x, int xStride, int inner, float* y, int yStride)
        {
            var inputs = HasIntegers(file.Find(segments[0].Weight)) ? Inputs(segments) : [];
            var rows = Place(inputs, Batch.MaxTokens * block.Experts!.Active);
            ExpertMatrix[] matrices = [.. segments.Select((segment, i) => Matrix(segment, inputs.Count > 0 ? rows.Find(row => row.Input == inputs[i]) : null))];
            var product = new ExpertProjectionOperation<TSimd, TVector>(context, routing, matrices, epilogue, x, xStride, inner, y, yStride);
            return inputs.Count > 0 ? [new QuantizeExpertsOperation(context, routing, x, xStride, [.. rows]), product] : [product];
        }

        ExpertMatrix Matrix(LinearSegment segment, QuantizedRows? input)
        {
            var tensor = file.Find(segment.Weight);
            var kernel = input is { } rows ? QuantizedMatMul.Create(tensor.Tiles, rows.Input, options.Instructions) : Kernel(tensor);
            return new(kernel, file.Address(tensor), segment.Bias is { } bias ? Vector(bias) : null, segment.Rows / block.Experts!.Count, input ?? default);
        }
    }

    /// <summary>Gives the distinct ones of <paramref name="inputs"/> room for so many rows, one after the other.</summary>
    private List<QuantizedRows> Place(IEnumerable<QuantizedInput> inputs, int count)
    {
        var rows = new List<QuantizedRows>();
        var next = (nint)context.Packed;
        foreach (var input in inputs.Distinct())
        {
            rows.Add(new(input, next));
            next += (nint)input.Bytes * count;
        }

        return rows;
    }

    /// <summary>Codes that are multiplied as integers, with activations rounded to integers.</summary>
    private bool HasIntegers(TensorEntry tensor) => options.RoundsActivations && tensor.DataType is (DataType.Int4 or DataType.Int8);

    /// <summary>How each segment's input is quantized; segments that want the same share one.</summary>
    private List<QuantizedInput> Inputs(IReadOnlyList<LinearSegment> segments)
    {
        var inputs = new List<QuantizedInput>();
        foreach (var segment in segments)
        {
            var own = QuantizedMatMul.Input(file, file.Find(segment.Weight), options.Instructions);
            inputs.Add(inputs.Find(own.IsSameAs) ?? own);
        }

        return inputs;
    }

    private int MaxRows(FusedLinearNode node) => node.X.Rows == Rows.Logits ? Batch.MaxLogitRows : Batch.MostTokens;

    private MatMulKernel Kernel(TensorEntry tensor) => tensor.DataType switch
    {
        DataType.Int4 or DataType.Int8 => new IntegerMatMulKernel<TSimd, TVector>(tensor.Tiles, QuantizedMatMul.Order(file, tensor)),
        DataType.Mxfp4 => new Mxfp4MatMulKernel<TSimd, TVector>(tensor.Tiles),
        DataType.Float32 => MatMulKernel<TSimd, TVector, Float32Weights>.Instance,
        DataType.BFloat16 => MatMulKernel<TSimd, TVector, BFloat16Weights>.Instance,
        _ => MatMulKernel<TSimd, TVector, Float16Weights>.Instance,
    };

    private RotaryCacheWriteOperation<TSimd, TVector, TCache> BindRotary(RotaryCacheWriteNode node)
    {
        var joint = node.QueriesKeysValues;
        var norm = node.Norm is { } last ? BindHeadNorm(last) : null;
        return new(context, node.Attention, Rotary(node.Attention), norm, Address(joint), joint.Width, cache.Keys(node.Cache), cache.Values(node.Cache));
    }

    private HeadNormOperation<TSimd, TVector> BindHeadNorm(HeadNormNode node)
    {
        var norm = node.Attention.QueryKeyNorm!.Norm;
        return new(context, node, Norm(norm, node.QueryName), Norm(norm, node.KeyName), Address(node.QueriesKeysValues));
    }

    private RotaryTable? Rotary(AttentionDescription attention)
    {
        if (attention.Rotary is not { } rotary)
            return null;
        var table = rotaryTables.Find(table => table.Rotary == rotary && table.HeadSize == attention.HeadSize);
        if (table is null)
            rotaryTables.Add(table = new RotaryTable(rotary, attention.HeadSize, options.MaxPositions, Batch.MostTokens));
        return table;
    }

    private HeadLinearOperation BindHeadLinear(HeadLinearNode node)
    {
        var tensor = file.Find(node.Weight);
        return new(context, node, Kernel(tensor), file.Address(tensor), (nint)tensor.Length / node.Heads, Address(node.X), Address(node.Y));
    }

    private LatentWriteOperation<TSimd, TVector, TCache> BindLatentWrite(LatentWriteNode node) => new(context, node.Attention, Rotary(node.Attention)!, new LatentWriteArguments
    {
        TurnedQueries = Address(node.TurnedQueries),
        LatentQueries = Address(node.LatentQueries),
        TurnedKey = Address(node.TurnedKey),
        Latent = Address(node.Latent),
        Queries = Address(node.Queries),
        Cache = cache.Values(node.Cache),
    });

    private AttentionOperation<TSimd, TVector, TCache> BindAttention(AttentionNode node) => new(context, node.Mask, new AttentionArguments
    {
        Queries = Address(node.Queries),
        QueryStride = node.Queries.Width,
        Y = Address(node.Y),
        YStride = node.Y.Width,
        Keys = cache.Keys(node.Cache),
        Values = cache.Values(node.Cache),
        Positions = (int*)Marshal.UnsafeAddrOfPinnedArrayElement(node.Mask == AttentionMask.Source ? Batch.SourcePositions : context.Batch.Positions, 0),
        QueryHeads = node.Attention.QueryHeads,
        KeyValueHeads = node.Attention.KeyValueHeads,
        HeadSize = node.Attention.HeadSize,
        ValueSize = node.Attention.ValueSize,
        ValuesInKeys = node.Attention.Latent is not null,
        Scale = node.Attention.Scale,
        LogScaleFrom = node.Attention.LogScaleFrom ?? int.MaxValue,
        Window = node.Attention.Window ?? int.MaxValue,
        Slopes = node.Attention.AlibiSlopes is { } slopes ? Constants(slopes) : null,
        Distances = node.DistanceBias is { } distances ? Vector(distances) : null,
        MaxDistance = node.Attention.BiasDistance ?? 0,
        SoftCap = node.Attention.SoftCap ?? 0,
        Sinks = node.Sinks is { } sinks ? Vector(sinks) : null,
    });

    private long PackedFloats() => graph.Nodes.SelectMany(node => node switch
    {
        FusedLinearNode n => [PackedFloats(n.Segments, MaxRows(n))],
        ExpertsNode { FeedForward.Experts: { } experts } n => [PackedFloats(n.Inner, Batch.MaxTokens * experts.Active), PackedFloats([n.Outer], Batch.MaxTokens * experts.Active)],
        _ => (IEnumerable<long>)[],
    }).Max();

    private long PackedFloats(IReadOnlyList<LinearSegment> segments, int rows) => file.Find(segments[0].Weight) is var first && HasIntegers(first)
        ? Inputs(segments).Distinct().Sum(input => (long)input.Bytes) * rows / sizeof(float)
        : MatMulKernel.PackedFloats(first.Shape[1]);

    private int ScratchFloats() => graph.Nodes.OfType<AttentionNode>()
        .Select(node => AttentionKernel.ScratchFloats(node.Attention.HeadSize))
        .Concat(graph.Nodes.OfType<DeltaRuleNode>().Select(node => HeadOperation.ScratchFloats(node.HeadSize)))
        .Append(MatMulKernel.ManyTokensFloats)
        .Concat(graph.Nodes.OfType<HeadLinearNode>().Select(node => MatMulKernel.PackedFloats(node.X.Width / node.Heads)))
        .Concat(file.Header.Tensors.Where(HasIntegers).Select(tensor => QuantizedMatMul.ScratchFloats(tensor.Tiles)))
        .Concat(file.Header.Tensors.Where(tensor => tensor.Quantization is not null && !HasIntegers(tensor)).Select(tensor => DecodedMatMulKernel<TSimd, TVector>.ScratchFloats(tensor.Tiles)))
        .Max();

    /// <summary>A small table in float32.</summary>
    private float* Widened(string name)
    {
        var shape = file.Find(name).Shape;
        var (table, values) = (new PositionTable(file.Find(name).DataType, Weight(name), shape[1]), new float[shape[0] * shape[1]]);
        fixed (float* rows = values)
        {
            for (var row = 0; row < shape[0]; row++)
                table.AddTo(rows + (row * shape[1]), row);
        }

        return Constants(values);
    }

    private PositionTable Positions(string name, Value y) => new(file.Find(name).DataType, Weight(name), y.Width);

    private BoundNorm<TSimd, TVector> Norm(NormDescription norm, string name) =>
        new(norm, norm.Weightless ? null : Vector(name + ".weight"), norm.Bias ? Vector(name + ".bias") : null);

    /// <summary>Numbers of the description, where kernels can read them.</summary>
    private float* Constants(IReadOnlyList<float> values)
    {
        var buffer = new NativeBuffer(values.Count * sizeof(float));
        constants.Add(buffer);
        values.ToArray().CopyTo(new Span<float>(buffer.Address, values.Count));
        return (float*)buffer.Address;
    }

    private float* Address(Value value) => (float*)(arena.Address + plan.Offset(value));

    private byte* Weight(string name) => file.Address(file.Find(name));

    private float* Vector(string name) => (float*)Weight(name);
}
