using Weft.Models;

namespace Weft.Graph;

/// <summary>
/// Rewrites single operations into the launches that backends have kernels for: query, key and value in one product, rotary with the
/// cache write, gate and up with their activation, a product with the residual add. Each rule states what must hold; what no
/// rule takes stays as it is.
/// </summary>
public static class Fusion
{
    /// <summary>Applies all rules.</summary>
    public static StepGraph Fuse(StepGraph graph)
    {
        var nodes = graph.Nodes.ToList();
        FuseQueryKeyValue(nodes);
        FuseGate(nodes);
        FuseResidual(nodes);
        for (var i = 0; i < nodes.Count; i++)
        {
            if (nodes[i] is LinearNode linear)
                nodes[i] = new FusedLinearNode([Segment(linear)], null, false, linear.X, linear.Y);
        }

        return graph with { Nodes = nodes };
    }

    /// <summary>Joins each norm with the product after it where no other node reads the norm.</summary>
    public static StepGraph FuseNorms(StepGraph graph)
    {
        var nodes = graph.Nodes.ToList();
        foreach (var norm in nodes.OfType<NormNode>().ToList())
        {
            if (nodes.OfType<FusedLinearNode>().FirstOrDefault(linear => linear.X == norm.Y) is not { } linear || !OnlyUse(nodes, norm.Y, linear))
                continue;
            nodes[nodes.IndexOf(linear)] = new NormedLinearNode(norm, linear);
            nodes.Remove(norm);
        }

        return graph with { Nodes = nodes };
    }

    /// <summary>
    /// Gives turned queries a value of their own, for backends that store the joint product more exactly than what attention reads.
    /// </summary>
    public static StepGraph SeparateQueries(StepGraph graph)
    {
        var nodes = graph.Nodes.ToList();
        var next = nodes.SelectMany(node => node.Outputs).Max(value => value.Id) + 1;
        foreach (var write in nodes.OfType<RotaryCacheWriteNode>().ToList())
        {
            var attention = nodes.OfType<AttentionNode>().Single(node => node.Layer == write.Layer);
            var queries = new Value(next++, write.Queries.Rows, write.Attention.QueryHeads * write.Attention.HeadSize);
            nodes[nodes.IndexOf(write)] = write with { Queries = queries };
            nodes[nodes.IndexOf(attention)] = attention with { Queries = queries };
        }

        return graph with { Nodes = nodes };
    }

    /// <summary>q, k, v from the same input; q and k turned; k, v written; q attended: one product, one turn-and-write, one attention.</summary>
    private static void FuseQueryKeyValue(List<Node> nodes)
    {
        foreach (var attention in nodes.OfType<AttentionNode>().ToList())
        {
            if (Producer<RotaryNode>(nodes, attention.Queries) is not { } turnQ
                || nodes.OfType<CacheWriteNode>().FirstOrDefault(write => write.Layer == attention.Layer) is not { } write
                || Producer<RotaryNode>(nodes, write.Keys) is not { } turnK
                || Producer<LinearNode>(nodes, turnQ.X) is not { } q
                || Producer<LinearNode>(nodes, turnK.X) is not { } k
                || Producer<LinearNode>(nodes, write.Values) is not { } v
                || q.X != k.X
                || q.X != v.X
                || !OnlyUse(nodes, q.Y, turnQ)
                || !OnlyUse(nodes, k.Y, turnK)
                || !OnlyUse(nodes, v.Y, write))
            {
                continue;
            }

            var joint = q.Y with { Width = q.Y.Width + k.Y.Width + v.Y.Width };
            nodes[nodes.IndexOf(q)] = new FusedLinearNode([Segment(q), Segment(k), Segment(v)], null, false, q.X, joint);
            nodes[nodes.IndexOf(write)] = new RotaryCacheWriteNode(attention.Layer, attention.Attention, joint, joint);
            nodes[nodes.IndexOf(attention)] = attention with { Queries = joint };
            nodes.RemoveAll(node => node == k || node == v || node == turnQ || node == turnK);
        }
    }

    /// <summary>activation(gate(x)) · up(x): one product whose epilogue gates.</summary>
    private static void FuseGate(List<Node> nodes)
    {
        foreach (var node in nodes.OfType<GateNode>().ToList())
        {
            if (Producer<LinearNode>(nodes, node.Gate) is not { } gate
                || Producer<LinearNode>(nodes, node.Up) is not { } up
                || gate.X != up.X
                || !OnlyUse(nodes, gate.Y, node)
                || !OnlyUse(nodes, up.Y, node))
            {
                continue;
            }

            var joint = node.Y with { Width = gate.Y.Width + up.Y.Width };
            nodes[nodes.IndexOf(node)] = new FusedLinearNode([Segment(gate), Segment(up)], node.Activation, false, gate.X, joint);
            nodes.Remove(gate);
            nodes.Remove(up);
            Replace(nodes, node.Y, joint);
        }
    }

    /// <summary>residual + linear(x), where the residual has no other reader from there on: the product adds to it in place.</summary>
    private static void FuseResidual(List<Node> nodes)
    {
        for (var i = 0; i < nodes.Count; i++)
        {
            if (nodes[i] is not AddNode add
                || Producer<LinearNode>(nodes, add.B) is not { } linear
                || !OnlyUse(nodes, linear.Y, add)
                || nodes.Skip(nodes.IndexOf(linear) + 1).Any(node => node != add && node.Inputs.Contains(add.A)))
            {
                continue;
            }

            nodes[nodes.IndexOf(linear)] = new FusedLinearNode([Segment(linear)], null, true, linear.X, add.A);
            nodes.RemoveAt(i--);
            Replace(nodes, add.Y, add.A);
        }
    }

    private static LinearSegment Segment(LinearNode linear) => new(linear.Weight, linear.Bias, linear.Y.Width);

    private static TNode? Producer<TNode>(List<Node> nodes, Value value)
        where TNode : Node => nodes.OfType<TNode>().FirstOrDefault(node => node.Outputs.Contains(value));

    private static bool OnlyUse(List<Node> nodes, Value value, Node user) =>
        nodes.All(node => node == user || !node.Inputs.Contains(value));

    private static void Replace(List<Node> nodes, Value old, Value value)
    {
        Value Map(Value v) => v == old ? value : v;
        for (var i = 0; i < nodes.Count; i++)
        {
            nodes[i] = nodes[i] switch
            {
                EmbeddingNode n => n with { Y = Map(n.Y) },
                NormNode n => n with { X = Map(n.X), Y = Map(n.Y) },
                LinearNode n => n with { X = Map(n.X), Y = Map(n.Y) },
                FusedLinearNode n => n with { X = Map(n.X), Y = Map(n.Y) },
                AddNode n => n with { A = Map(n.A), B = Map(n.B), Y = Map(n.Y) },
                GateNode n => n with { Gate = Map(n.Gate), Up = Map(n.Up), Y = Map(n.Y) },
                RotaryNode n => n with { X = Map(n.X), Y = Map(n.Y) },
                CacheWriteNode n => n with { Keys = Map(n.Keys), Values = Map(n.Values) },
                RotaryCacheWriteNode n => n with { QueriesKeysValues = Map(n.QueriesKeysValues), Queries = Map(n.Queries) },
                AttentionNode n => n with { Queries = Map(n.Queries), Y = Map(n.Y) },
                GatherRowsNode n => n with { X = Map(n.X), Y = Map(n.Y) },
                var n => throw new InvalidOperationException($"fusion does not know the values of a {n.GetType().Name}"),
            };
        }
    }
}
