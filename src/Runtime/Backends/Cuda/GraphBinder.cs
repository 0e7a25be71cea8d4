using Weft.Backends.Cuda.Operations;
using Weft.Graph;
using Weft.Models;

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
        EmbeddingNode n => new EmbeddingOperation(context, weights.Matrix(n.Weight), drawn, n.Y),
        NormNode { Norm.Kind: NormKind.Rms } n => new NormOperation(context, Norm(n)),
        FusedLinearNode n => Linear(n, null),
        NormedLinearNode { Norm.Norm.Kind: NormKind.Rms } n => Linear(n.Linear, Norm(n.Norm)),
        RotaryCacheWriteNode n => new RotaryCacheWriteOperation(context, n, Rotary(n.Attention), cache.Keys(n.Layer), cache.Values(n.Layer)),
        AttentionNode n => new AttentionOperation(context, n, cache.Keys(n.Layer), cache.Values(n.Layer), workspace, tokensPerTile),
        GatherRowsNode n => new GatherRowsOperation(context, n),
        _ => throw new NotSupportedException($"the CUDA backend has no kernel for a {node.GetType().Name} that was not fused"),
    };

    private InputNorm Norm(NormNode node) => new(context, node, weights.Vector(node.Name + ".weight"));

    private CudaOperation Linear(FusedLinearNode node, InputNorm? norm)
    {
        IReadOnlyList<string> names = [.. node.Segments.Select(segment => segment.Weight)];
        var bias = weights.Bias(node.Segments);
        return weights.IsQuantized(names)
            ? new QuantizedLinearOperation(context, node, norm, weights.Quantized(names), bias, products)
            : new LinearOperation(context, node, norm, weights.Matrix(names), bias, products);
    }

    private DeviceRotaryTable Rotary(AttentionDescription attention)
    {
        var key = (attention.Rotary!, attention.HeadSize);
        if (!rotaryTables.TryGetValue(key, out var table))
            rotaryTables[key] = table = createRotaryTable(key.Item1, key.HeadSize);
        return table;
    }
}
