using Weft.Backends.Cuda.Operations;
using Weft.Graph;
using Weft.Models;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Backends.Cuda;

/// <summary>Turns the nodes of a fused graph into operations with addresses.</summary>
/// <param name="tokens">Of the step's tokens.</param>
/// <param name="sources">Of the tokens of its sources; null where there is no encoder.</param>
/// <param name="weights">Of the model.</param>
/// <param name="cache">Keys and values.</param>
/// <param name="createRotaryTable">Makes a table.</param>
/// <param name="workspace">Of the decode attention.</param>
/// <param name="products">Of products.</param>
/// <param name="drawn">Receives the tokens.</param>
/// <param name="counts">What penalties count.</param>
/// <param name="tokensPerTile">Of the prefill attention.</param>
internal sealed class GraphBinder(
    CudaProgramContext tokens,
    CudaProgramContext? sources,
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
    private bool isOfSource; // the node that is being bound

    private CudaProgramContext Context => isOfSource ? sources! : tokens;

    /// <summary>The operations in order.</summary>
    public List<CudaOperation> Bind(StepGraph graph) => [.. graph.Nodes.Select(Bind), new SamplingOperation(tokens, graph.Logits, drawn, counts)];

    private CudaOperation Bind(Node node)
    {
        isOfSource = node.IsOfSource;
        return BindNode(node);
    }

    private CudaOperation BindNode(Node node) => node switch
    {
        EmbeddingNode n => new EmbeddingOperation(Context, n, weights.Matrix(n.Weight), n.Positions is { } table ? weights.Matrix(table) : default, drawn),
        VirtualRowsNode n => new VirtualRowsOperation(Context, n, weights.Matrix(n.Table)),
        VirtualKeysNode n => new VirtualKeysOperation(Context, n, weights.Matrix(n.Table), cache.Keys(n.Cache), cache.Values(n.Cache)),
        AddPositionsNode n => new AddPositionsOperation(Context, n, weights.Matrix(n.Positions)),
        PositionRowsNode n => new PositionRowsOperation(Context, n, weights.Matrix(n.Positions)),
        JoinNode n => new JoinOperation(Context, n),
        NormNode n => new NormOperation(Context, Norm(n)),
        HeadNormNode n => new HeadNormOperation(Context, n, Norms(n)),
        FusedLinearNode n => Linear(n, null),
        NormedLinearNode n => Linear(n.Linear, Norm(n.Norm)),
        RoundNode n => new RoundOperation(Context, n),
        CopyHeadsNode n => new CopyHeadsOperation(Context, n),
        AddNode n => new AddOperation(Context, n),
        ExpertsNode n => new ExpertsOperation(
            Context, n, Experts(n, isInner: true), Experts(n, isInner: false), n.FeedForward.Experts!.SelectionBias ? weights.Vector(n.Name + TensorSchema.SelectionBias) : 0),
        SwitchNode n => new SwitchOperation(Context, n),
        GateNode n => new GateOperation(Context, n),
        GateHalvesNode n => new GateHalvesOperation(Context, n),
        TokenShiftNode n => new TokenShiftOperation(Context, n),
        MixNode n => new MixOperation(Context, n, weights.Vector(n.Weight)),
        LerpNode n => new LerpOperation(Context, n),
        AverageNode n => new AverageOperation(Context, n, weights.Vector(n.Decay), weights.Vector(n.First)),
        DecayNode n => new DecayOperation(Context, n, n.Decay is { } decay ? weights.Vector(decay) : 0, weights.Vector(n.First)),
        DeltaRuleNode n => new DeltaRuleOperation(Context, n, weights.Vector(n.KeyScale), weights.Vector(n.KeyRate)),
        BonusNode n => new BonusOperation(Context, n, weights.Vector(n.KeyRate), weights.Vector(n.First)),
        ConvolutionNode n => new ConvolutionOperation(Context, n, weights.Vector(n.Weight), n.Bias is { } bias ? weights.Vector(bias) : 0),
        ScanNode n => new ScanOperation(Context, n, weights.Vector(n.Decay), weights.Vector(n.Skip)),
        RotaryCacheWriteNode n => new RotaryCacheWriteOperation(
            Context, n, n.Attention.Rotary is { } rotary ? Rotary(rotary, n.Attention.HeadSize) : null, n.Norm is { } norm ? Norms(norm) : default, cache.Keys(n.Cache), cache.Values(n.Cache)),
        HeadLinearNode n => new HeadLinearOperation(Context, n, weights.Matrix(n.Weight)),
        LatentWriteNode n => new LatentWriteOperation(Context, n, Rotary(n.Attention.Rotary!, n.Attention.HeadSize), cache.Keys(n.Cache)),
        AttentionNode { Attention.Latent: not null } n => new LatentAttentionOperation(
            Context,
            n,
            n.Attention.AlibiSlopes is { } slopes ? weights.Constants(slopes) : 0,
            n.Sinks is { } sinks ? weights.Vector(sinks) : 0,
            cache.Keys(n.Cache),
            tokensPerTile),
        AttentionNode n => new AttentionOperation(
            Context,
            n,
            new()
            {
                Slopes = n.Attention.AlibiSlopes is { } slopes ? weights.Constants(slopes) : 0,
                Sinks = n.Sinks is { } sinks ? weights.Vector(sinks) : 0,
                DistanceBias = n.DistanceBias is { } distances ? weights.Vector(distances) : 0,
            },
            cache.Keys(n.Cache),
            cache.Values(n.Cache),
            workspace,
            tokensPerTile),
        GatherRowsNode n => new GatherRowsOperation(Context, n),
        ScaleLogitsNode n => new ScaleLogitsOperation(Context, n, n.Head.RowScale ? weights.Vector(TensorSchema.HeadRowScale) : 0),
        _ => throw new NotSupportedException($"the CUDA backend has no kernel for a {node.GetType().Name} that was not fused"),
    };

    private InputNorm Norm(NormNode node) => new(Context, node, Tensors(node.Norm, node.Name));

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
        var type = weights.TypeOf(names[0]);
        if (type == DataType.Mxfp4)
            throw new WeftException($"'{names[0]}' is mxfp4, which only experts can be on a GPU yet: run it on the CPU (--device cpu)");
        return type.IsQuantized()
            ? new QuantizedLinearOperation(Context, node, norm, weights.Quantized(names), bias, products)
            : new LinearOperation(Context, node, norm, weights.Matrix(names), bias, products);
    }

    private ExpertProduct Experts(ExpertsNode node, bool isInner)
    {
        var segments = isInner ? node.Inner : [node.Outer];
        IReadOnlyList<string> names = [.. segments.Select(segment => segment.Weight)];
        var bias = weights.Bias(segments);
        weights.RequireAlike(names);
        if (!weights.TypeOf(names[0]).IsQuantized())
            return new DenseExpertProduct(Context, node, isInner, weights.Matrix(names), bias);
        // Tiles of one expert hold no rows of another, and all experts read the columns in one order.
        return segments.All(segment => segment.Rows / node.FeedForward.Experts!.Count % QuantizedLayout.TileRows == 0) && weights.Quantized(names) is [{ Weight.Order: 0 } matrix]
            ? new QuantizedExpertProduct(Context, node, isInner, matrix, bias)
            : throw new WeftException($"'{names[0]}' has experts of rows that do not fill tiles, with columns in another order, or in other groups or with zero points of another kind than those beside them, which have no kernel on a GPU: run it on the CPU (--device cpu)");
    }

    private DeviceRotaryTable Rotary(RotaryDescription rotary, int headSize)
    {
        if (!rotaryTables.TryGetValue((rotary, headSize), out var table))
            rotaryTables[(rotary, headSize)] = table = createRotaryTable(rotary, headSize);
        return table;
    }
}
