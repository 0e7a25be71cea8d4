using Weft.Backends.Cuda.Operations;
using Weft.Graph;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda;

/// <summary>Turns the nodes of a fused graph into operations with addresses.</summary>
internal sealed class GraphBinder(
    CudaProgramContext context,
    DeviceWeights weights,
    DeviceKvCache cache,
    Func<RotaryDescription, int, DeviceRotaryTable> createRotaryTable,
    DecodeWorkspace workspace,
    ProductWorkspace products,
    DrawnTokens drawn,
    DeviceTokenCounts counts,
    int tokensPerTile)
{
    private readonly Dictionary<(RotaryDescription, int), DeviceRotaryTable> rotaryTables = [];

    /// <summary>The operations in order.</summary>
    public List<CudaOperation> Bind(StepGraph graph) => [.. graph.Nodes.Select(Bind), new SamplingOperation(context, graph.Logits, drawn, counts)];

    private CudaOperation Bind(Node node) => node switch
    {
        EmbeddingNode n => new EmbeddingOperation(context, n, weights.Matrix(n.Weight), n.Positions is { } table ? weights.Matrix(table) : default, drawn),
        AddPositionsNode n => new AddPositionsOperation(context, n, weights.Matrix(n.Positions)),
        PositionRowsNode n => new PositionRowsOperation(context, n, weights.Matrix(n.Positions)),
        JoinNode n => new JoinOperation(context, n),
        NormNode n => new NormOperation(context, Norm(n)),
        HeadNormNode n => new HeadNormOperation(context, n, Norms(n)),
        FusedLinearNode n => Linear(n, null),
        NormedLinearNode n => Linear(n.Linear, Norm(n.Norm)),
        RoundNode n => new RoundOperation(context, n),
        AddNode n => new AddOperation(context, n),
        ExpertsNode n => new ExpertsOperation(
            context, n, Experts(n, isInner: true), Experts(n, isInner: false), n.FeedForward.Experts!.SelectionBias ? weights.Vector(n.Name + TensorSchema.SelectionBias) : 0),
        SwitchNode n => new SwitchOperation(context, n),
        GateNode n => new GateOperation(context, n),
        TokenShiftNode n => new TokenShiftOperation(context, n),
        MixNode n => new MixOperation(context, n, weights.Vector(n.Weight)),
        LerpNode n => new LerpOperation(context, n),
        AverageNode n => new AverageOperation(context, n, weights.Vector(n.Decay), weights.Vector(n.First)),
        DecayNode n => new DecayOperation(context, n, n.Decay is { } decay ? weights.Vector(decay) : 0, weights.Vector(n.First)),
        DeltaRuleNode n => new DeltaRuleOperation(context, n, weights.Vector(n.KeyScale), weights.Vector(n.KeyRate)),
        BonusNode n => new BonusOperation(context, n, weights.Vector(n.KeyRate), weights.Vector(n.First)),
        ConvolutionNode n => new ConvolutionOperation(context, n, weights.Vector(n.Weight), n.Bias is { } bias ? weights.Vector(bias) : 0),
        ScanNode n => new ScanOperation(context, n, weights.Vector(n.Decay), weights.Vector(n.Skip)),
        RotaryCacheWriteNode n => new RotaryCacheWriteOperation(
            context, n, n.Attention.Rotary is { } rotary ? Rotary(rotary, n.Attention.HeadSize) : null, n.Norm is { } norm ? Norms(norm) : default, cache.Keys(n.Layer), cache.Values(n.Layer)),
        HeadLinearNode n => new HeadLinearOperation(context, n, weights.Matrix(n.Weight)),
        LatentWriteNode n => new LatentWriteOperation(context, n, Rotary(n.Attention.Rotary!, n.Attention.HeadSize), cache.Keys(n.Layer)),
        AttentionNode { Attention.Latent: not null } n => new LatentAttentionOperation(
            context,
            n,
            n.Attention.AlibiSlopes is { } slopes ? weights.Constants(slopes) : 0,
            n.Sinks is { } sinks ? weights.Vector(sinks) : 0,
            cache.Keys(n.Layer),
            tokensPerTile),
        AttentionNode n => new AttentionOperation(
            context,
            n,
            n.Attention.AlibiSlopes is { } slopes ? weights.Constants(slopes) : 0,
            n.Sinks is { } sinks ? weights.Vector(sinks) : 0,
            cache.Keys(n.Layer),
            cache.Values(n.Layer),
            workspace,
            tokensPerTile),
        GatherRowsNode n => new GatherRowsOperation(context, n),
        ScaleLogitsNode n => new ScaleLogitsOperation(context, n, n.Head.RowScale ? weights.Vector(TensorSchema.HeadRowScale) : 0),
        _ => throw new NotSupportedException($"the CUDA backend has no kernel for a {node.GetType().Name} that was not fused"),
    };

    private InputNorm Norm(NormNode node) => new(context, node, Tensors(node.Norm, node.Name));

    private HeadNormTensors Norms(HeadNormNode node)
    {
        var norm = node.Attention.QueryKeyNorm!.Norm;
        return new(Tensors(norm, node.QueryName), Tensors(norm, node.KeyName));
    }

    private NormTensors Tensors(NormDescription norm, string name) =>
        new(norm.Weightless ? 0 : weights.Vector(name + ".weight"), norm.Bias ? weights.Vector(name + ".bias") : 0);

    private CudaOperation Linear(FusedLinearNode node, InputNorm? norm)
    {
        IReadOnlyList<string> names = [.. node.Segments.Select(segment => segment.Weight)];
        var bias = weights.Bias(node.Segments);
        if (weights.TypeOf(names[0]) == DataType.Mxfp4)
            throw new WeftException($"'{names[0]}' is mxfp4, which only experts can be on a GPU yet: run it on the CPU (--device cpu)");
        return weights.IsQuantized(names)
            ? new QuantizedLinearOperation(context, node, norm, weights.Quantized(names), bias, products)
            : new LinearOperation(context, node, norm, weights.Matrix(names), bias, products);
    }

    private ExpertProduct Experts(ExpertsNode node, bool isInner)
    {
        var segments = isInner ? node.Inner : [node.Outer];
        IReadOnlyList<string> names = [.. segments.Select(segment => segment.Weight)];
        var bias = weights.Bias(segments);
        if (!weights.IsQuantized(names))
            return new DenseExpertProduct(context, node, isInner, weights.Matrix(names), bias);
        return weights.TypeOf(names[0]) == DataType.Mxfp4
            ? new Mxfp4ExpertProduct(context, node, isInner, weights.Quantized(names).Single(), bias)
            : throw new WeftException($"'{names[0]}' is {weights.TypeOf(names[0]).Name()}, which experts cannot be on a GPU yet: run it on the CPU (--device cpu)");
    }

    private DeviceRotaryTable Rotary(RotaryDescription rotary, int headSize)
    {
        if (!rotaryTables.TryGetValue((rotary, headSize), out var table))
            rotaryTables[(rotary, headSize)] = table = createRotaryTable(rotary, headSize);
        return table;
    }
}
