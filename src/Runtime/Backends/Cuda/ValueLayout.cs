using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Tensors;

namespace Weft.Backends.Cuda;

/// <summary>
/// Element type and row stride of a graph's values on the device: the residual stream, what is normed, logits of the head and of routers, what experts give, queries and keys that are
/// still to be turned (turning rounded ones would round them twice, and scores magnify it) and what recurrent blocks read (a state adds up what rounding does to it)
/// are float32, everything that a product reads is 16 bits
/// wide, queries of attention in the type of the cache; rows start at multiples of 16 bytes.
/// </summary>
internal sealed class ValueLayout
{
    private const int Granularity = 8;

    private readonly HashSet<Value> floats;
    private readonly HashSet<Value> queries;

    public ValueLayout(StepGraph graph, AttentionTypes types)
    {
        AttentionTypes = types;
        queries = [.. graph.Nodes.OfType<AttentionNode>().Select(node => node.Queries)];
        floats = [graph.Logits, .. Fusion.ResidualStream(graph)];
        foreach (var node in graph.Nodes)
        {
            if (node is RotaryCacheWriteNode write)
                floats.Add(write.QueriesKeysValues);
            else if (node is JoinNode join)
                floats.UnionWith([join.A, join.B]);
            else if (node is LatentWriteNode latent)
                floats.UnionWith(latent.Inputs);
            else if (node is NormNode norm)
                floats.Add(norm.X);
            else if (node is RoundNode round)
                floats.Add(round.X);
            else if (node is CopyHeadsNode copy && queries.Contains(copy.Y))
                floats.Add(copy.X);
            else if (node is ExpertsNode { Scratch: { } scratch } experts)
                floats.UnionWith([experts.Router, experts.Y, scratch.Routing, scratch.Given]);
            else if (node is SwitchNode shared)
                floats.UnionWith([shared.Switch, shared.X, shared.Y]);
            else if (node is NormedLinearNode normed)
                floats.Add(normed.Norm.X);
            else if (node is RecurrentNode or GateNode)
                floats.UnionWith(node.Inputs);
        }
    }

    /// <summary>The 16-bit type of weights and activations.</summary>
    public DataType Type => AttentionTypes.Result;

    /// <summary>Types of attention; queries have that of the cache.</summary>
    public AttentionTypes AttentionTypes { get; }

    /// <summary>Element type of <paramref name="value"/>.</summary>
    public DataType TypeOf(Value value) => floats.Contains(value) ? DataType.Float32 : queries.Contains(value) ? AttentionTypes.Cache : Type;

    /// <summary>Elements from a row to the next.</summary>
    public static int Stride(Value value) => Stride(value.Width);

    /// <summary>Elements from a row of <paramref name="width"/> elements to the next.</summary>
    public static int Stride(int width) => (width + Granularity - 1) / Granularity * Granularity;

    /// <summary>Bytes of a row.</summary>
    public long RowBytes(Value value) => (long)Stride(value) * TypeOf(value).Size();
}
