using Weft.Backends.Cuda.Operations;
using Weft.Graph;
using Weft.Models;

namespace Weft.Backends.Cuda;

/// <summary>Turns the nodes of a fused graph into operations with addresses. A norm whose readers are all products becomes part of them.</summary>
internal sealed class GraphBinder(
    CudaProgramContext context,
    DeviceWeights weights,
    DeviceKvCache cache,
    Func<RotaryDescription, int, DeviceRotaryTable> createRotaryTable,
    DecodeWorkspace workspace,
    int maxBlocks,
    int tokensPerTile)
{
    private readonly Dictionary<(RotaryDescription, int), DeviceRotaryTable> rotaryTables = [];
    private readonly Dictionary<Value, InputNorm> norms = [];

    /// <summary>The operations in order.</summary>
    public List<CudaOperation> Bind(StepGraph graph)
    {
        var operations = new List<CudaOperation>();
        foreach (var node in graph.Nodes)
        {
            if (node is NormNode norm)
                norms[norm.Y] = new InputNorm(context, norm, weights.Vector(norm.Weight));
            else
                operations.Add(Bind(node));
        }

        return operations;
    }

    private CudaOperation Bind(Node node) => node switch
    {
        EmbeddingNode n => new EmbeddingOperation(context, weights.Matrix(n.Weight), n.Y),
        FusedLinearNode n => new LinearOperation(
            context, n, norms.GetValueOrDefault(n.X), weights.Matrix([.. n.Segments.Select(segment => segment.Weight)]), weights.Bias(n.Segments)),
        RotaryCacheWriteNode n => new RotaryCacheWriteOperation(context, n, Rotary(n.Attention), cache.Keys(n.Layer), cache.Values(n.Layer)),
        AttentionNode n => new AttentionOperation(context, n, cache.Keys(n.Layer), cache.Values(n.Layer), workspace, maxBlocks, tokensPerTile),
        GatherRowsNode n => new GatherRowsOperation(context, n),
        _ => throw new NotSupportedException($"the CUDA backend has no kernel for a {node.GetType().Name} that was not fused"),
    };

    private DeviceRotaryTable Rotary(AttentionDescription attention)
    {
        var key = (attention.Rotary, attention.HeadSize);
        if (!rotaryTables.TryGetValue(key, out var table))
            rotaryTables[key] = table = createRotaryTable(attention.Rotary, attention.HeadSize);
        return table;
    }
}
