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
        FuseKeyValue(nodes);
        FuseGate(nodes);
        FuseActivation(nodes);
        FuseResidual(nodes);
        for (var i = 0; i < nodes.Count; i++)
        {
            if (nodes[i] is LinearNode linear)
                nodes[i] = new FusedLinearNode([Segment(linear)], null, false, linear.X, linear.Y);
        }

        return graph with { Nodes = nodes };
    }

    /// <summary>
    /// Parts products whose weights are not alike, for backends that multiply weights of one kind at a time: each run of neighbours that are alike is a product
    /// of its own, which writes its columns of y, and gate and up meet after both.
    /// </summary>
    /// <param name="graph">The graph.</param>
    /// <param name="alike">Whether two weights can be of one product.</param>
    public static StepGraph SplitUnlike(StepGraph graph, Func<string, string, bool> alike)
    {
        var nodes = new List<Node>();
        foreach (var node in graph.Nodes)
        {
            if (node is not FusedLinearNode linear || AlikeProducts(linear, alike) is not { Count: > 1 } products)
            {
                nodes.Add(node);
                continue;
            }

            nodes.AddRange(products);
            if (linear.Gate is { } gate)
                nodes.Add(new GateHalvesNode(gate, linear.Y));
        }

        return graph with { Nodes = nodes };
    }

    /// <summary>Joins each RMSNorm of whole rows that has a weight and nothing else with the product after it where no other node reads the norm or writes what it reads in between.</summary>
    public static StepGraph FuseNorms(StepGraph graph)
    {
        var nodes = graph.Nodes.ToList();
        foreach (var norm in nodes.OfType<NormNode>().ToList())
        {
            if (norm.Norm is not { Kind: NormKind.Rms, Bias: false, Weightless: false }
                || norm.GroupSize != norm.X.Width
                || nodes.OfType<FusedLinearNode>().FirstOrDefault(linear => linear.X == norm.Y) is not { } linear
                || !OnlyUse(nodes, norm.Y, linear)
                || nodes[nodes.IndexOf(norm)..nodes.IndexOf(linear)].Exists(node => node.Outputs.Contains(norm.X)))
                continue;
            nodes[nodes.IndexOf(linear)] = new NormedLinearNode(norm, linear);
            nodes.Remove(norm);
        }

        return graph with { Nodes = nodes };
    }

    /// <summary>
    /// Gives each router a norm of its own, for backends whose products norm their input more exactly than a norm by itself leaves it: routers compare what they read.
    /// </summary>
    public static StepGraph NormRouters(StepGraph graph)
    {
        var nodes = graph.Nodes.ToList();
        var next = nodes.SelectMany(node => node.Outputs).Max(value => value.Id) + 1;
        foreach (var mixture in nodes.OfType<ExpertsNode>().ToList())
        {
            if (Producer<FusedLinearNode>(nodes, mixture.Router) is not { } router || Producer<NormNode>(nodes, router.X) is not { } norm)
                continue;
            var own = norm with { Y = norm.Y with { Id = next++ } };
            nodes[nodes.IndexOf(router)] = router with { X = own.Y };
            nodes.Insert(nodes.IndexOf(norm) + 1, own);
        }

        return graph with { Nodes = nodes };
    }

    /// <summary>Clamps and norms heads where they turn, for backends that do so in one launch; a norm across heads stays by itself.</summary>
    public static StepGraph FuseHeads(StepGraph graph)
    {
        var nodes = graph.Nodes.ToList();
        foreach (var write in nodes.OfType<RotaryCacheWriteNode>().ToList())
        {
            var norm = nodes.OfType<HeadNormNode>().FirstOrDefault(norm => norm.QueriesKeysValues == write.QueriesKeysValues);
            if (norm is { Attention.QueryKeyNorm.AcrossHeads: true })
                continue;
            var clamp = nodes.OfType<ClampNode>().FirstOrDefault(clamp => clamp.Y == write.QueriesKeysValues);
            nodes[nodes.IndexOf(write)] = write with { Norm = norm ?? write.Norm, Clip = clamp?.Limit };
            nodes.RemoveAll(node => node == norm || node == clamp);
        }

        return graph with { Nodes = nodes };
    }

    /// <summary>Gives experts their working memory among the graph's values.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="stride">Elements from a row of a width to the next.</param>
    public static StepGraph PlaceExperts(StepGraph graph, Func<int, int> stride)
    {
        const int RoutingWords = 8;
        var next = graph.Nodes.SelectMany(node => node.Outputs).Max(value => value.Id) + 1;
        return graph with
        {
            Nodes = [.. graph.Nodes.Select(node => node is not ExpertsNode { FeedForward: { Experts: { } experts } block } mixture ? node : mixture with
            {
                Scratch = new(
                    new(next++, mixture.Y.Rows, RoutingWords * experts.Active),
                    new(next++, mixture.Y.Rows, experts.Active * stride(block.IntermediateSize)),
                    new(next++, mixture.Y.Rows, experts.Active * stride(mixture.Y.Width))),
            })],
        };
    }

    /// <summary>Rounds what products read of the residual stream and of what recurrent blocks read, too, for backends that keep both more exactly than products read.</summary>
    public static StepGraph RoundInputs(StepGraph graph)
    {
        var stream = ResidualStream(graph).Concat(graph.Nodes.OfType<RecurrentNode>().SelectMany(node => node.Inputs)).ToHashSet();
        var nodes = graph.Nodes.ToList();
        var next = nodes.SelectMany(node => node.Outputs).Max(value => value.Id) + 1;
        for (var i = 0; i < nodes.Count; i++)
        {
            if ((nodes[i] switch { FusedLinearNode n => n.X, ExpertsNode n => n.X, _ => null }) is not { } x || !stream.Contains(x))
                continue;
            var rounded = x with { Id = next++ };
            nodes[i] = nodes[i] is FusedLinearNode linear ? linear with { X = rounded } : (ExpertsNode)nodes[i] with { X = rounded };
            nodes.Insert(i++, new RoundNode(x, rounded));
        }

        return graph with { Nodes = nodes };
    }

    /// <summary>The values of the residual stream and what is added to it.</summary>
    public static IReadOnlySet<Value> ResidualStream(StepGraph graph) => graph.Nodes.SelectMany(node => node switch
    {
        EmbeddingNode n => [n.Y],
        AddPositionsNode n => [n.X, n.Y],
        AddNode n => [n.A, n.B, n.Y],
        FusedLinearNode { Accumulate: true } n => [n.Y],
        NormedLinearNode { Linear.Accumulate: true } n => [n.Linear.Y],
        GatherRowsNode n => [n.X, n.Y],
        _ => (IReadOnlyList<Value>)[],
    }).ToHashSet();

    /// <summary>
    /// Gives queries that attention reads a value of their own, for backends that store products more exactly: what turns them writes it, and where nothing
    /// does they are rounded.
    /// </summary>
    public static StepGraph SeparateQueries(StepGraph graph)
    {
        var nodes = graph.Nodes.ToList();
        var next = nodes.SelectMany(node => node.Outputs).Max(value => value.Id) + 1;
        foreach (var write in nodes.OfType<RotaryCacheWriteNode>().ToList())
        {
            if (nodes.OfType<AttentionNode>().SingleOrDefault(node => node.Queries == write.Queries) is not { } attention)
                continue;
            var queries = new Value(next++, write.Queries.Rows, write.Attention.QueryHeads * write.Attention.HeadSize);
            nodes[nodes.IndexOf(write)] = write with { Queries = queries };
            nodes[nodes.IndexOf(attention)] = attention with { Queries = queries };
        }

        var written = nodes.Where(node => node is RotaryCacheWriteNode or LatentWriteNode).SelectMany(node => node.Outputs).ToHashSet();
        foreach (var attention in nodes.OfType<AttentionNode>().Where(attention => !written.Contains(attention.Queries)).ToList())
        {
            var queries = attention.Queries with { Id = next++ };
            var at = nodes.IndexOf(attention);
            nodes[at] = attention with { Queries = queries };
            nodes.Insert(at, new RoundNode(attention.Queries, queries));
        }

        return graph with { Nodes = nodes };
    }

    /// <summary>
    /// Gives each head of what attention reads and makes as many elements as <paramref name="row"/> says for its size, zeros behind its own; after <see cref="SeparateQueries"/>.
    /// </summary>
    public static StepGraph PadHeads(StepGraph graph, Func<int, int> row)
    {
        var nodes = graph.Nodes.ToList();
        var next = nodes.SelectMany(node => node.Outputs).Max(value => value.Id) + 1;
        foreach (var attention in nodes.OfType<AttentionNode>().Where(node => node.Attention.Latent is null && row(node.Attention.HeadSize) != node.Attention.HeadSize).ToList())
        {
            var heads = attention.Attention.QueryHeads;
            var width = heads * row(attention.Attention.HeadSize);
            var (queries, mixed) = (new Value(next++, attention.Queries.Rows, width), new Value(next++, attention.Y.Rows, width));
            var writer = nodes.FindIndex(node => node.Outputs.Contains(attention.Queries));
            nodes[writer] = nodes[writer] is RoundNode round ? new CopyHeadsNode(heads, round.X, queries) : (RotaryCacheWriteNode)nodes[writer] with { Queries = queries };
            var at = nodes.IndexOf(attention);
            nodes[at] = attention with { Queries = queries, Y = mixed };
            nodes.Insert(at + 1, new CopyHeadsNode(heads, mixed, attention.Y));
        }

        return graph with { Nodes = nodes };
    }

    /// <summary>The products of runs of segments that are alike, before any activation.</summary>
    private static List<FusedLinearNode> AlikeProducts(FusedLinearNode linear, Func<string, string, bool> alike)
    {
        var products = new List<FusedLinearNode>();
        var column = 0;
        foreach (var segment in linear.Segments)
        {
            if (products.Count > 0 && alike(products[^1].Segments[0].Weight, segment.Weight))
                products[^1] = products[^1] with { Segments = [.. products[^1].Segments, segment] };
            else
                products.Add(linear with { Segments = [segment], Activation = null, Column = column });
            column += segment.Rows;
        }

        return products;
    }

    /// <summary>
    /// q, k, v from the same input or q from another, all or none of them clamped, q and k normed and turned or not; k, v written; q attended: one product, one norm
    /// of heads, one turn-and-write, one attention.
    /// </summary>
    private static void FuseQueryKeyValue(List<Node> nodes)
    {
        foreach (var attention in nodes.OfType<AttentionNode>().ToList())
        {
            if (WriteOf(nodes, attention) is not { } write
                || Heads.Find(nodes, attention.Queries, attention) is not { } q
                || Heads.Find(nodes, write.Keys, write) is not { } k
                || Heads.Find(nodes, write.Values, write) is not { } v
                || k.Linear.X != v.Linear.X)
            {
                continue;
            }

            var joint = q.Linear.Y with { Width = q.Linear.Y.Width + k.Linear.Y.Width + v.Linear.Y.Width };
            List<Node> fused = [];
            if (q.Linear.X == k.Linear.X)
            {
                fused.Add(new FusedLinearNode([Segment(q.Linear), Segment(k.Linear), Segment(v.Linear)], null, false, q.Linear.X, joint));
            }
            else
            {
                var (own, others) = (q.Linear.Y, k.Linear.Y with { Width = k.Linear.Y.Width + v.Linear.Y.Width });
                joint = joint with { Id = nodes.SelectMany(node => node.Outputs).Max(value => value.Id) + 1 };
                fused.Add(new FusedLinearNode([Segment(q.Linear)], null, false, q.Linear.X, own));
                fused.Add(new FusedLinearNode([Segment(k.Linear), Segment(v.Linear)], null, false, k.Linear.X, others));
                fused.Add(new JoinNode(own, others, joint));
            }

            if (q.Clamp is { } clamp)
                fused.Add(clamp with { X = joint, Y = joint });
            var norm = q.Norm is { } queryNorm && k.Norm is { } keyNorm ? new HeadNormNode(attention.Attention, queryNorm.Name, keyNorm.Name, joint) : null;
            var isLast = attention.Attention.QueryKeyNorm is { AfterTurning: true };
            if (norm is not null && !isLast)
                fused.Add(norm);
            fused.Add(new RotaryCacheWriteNode(attention.Cache, attention.Attention, joint, joint) { Norm = isLast ? norm : null });
            nodes[nodes.IndexOf(attention)] = attention with { Queries = joint };
            nodes.InsertRange(nodes.IndexOf(write), fused);
            nodes.RemoveAll(node => node == write || q.Nodes.Contains(node) || k.Nodes.Contains(node) || v.Nodes.Contains(node));
        }
    }

    /// <summary>The write of what an attention block attends to, if it is of the same tokens.</summary>
    private static CacheWriteNode? WriteOf(List<Node> nodes, AttentionNode attention) => attention.Mask == AttentionMask.Source
        ? null
        : nodes.Take(nodes.IndexOf(attention)).OfType<CacheWriteNode>().LastOrDefault(write => write.Cache == attention.Cache && write.Keys.Rows == attention.Queries.Rows);

    /// <summary>k, v that only queries of other tokens meet: one product and one write.</summary>
    private static void FuseKeyValue(List<Node> nodes)
    {
        foreach (var write in nodes.OfType<CacheWriteNode>().ToList())
        {
            if (Heads.Find(nodes, write.Keys, write) is not { Clamp: null, Norm: null, Turn: null } k
                || Heads.Find(nodes, write.Values, write) is not { Clamp: null } v
                || k.Linear.X != v.Linear.X)
                continue;
            var joint = k.Linear.Y with { Width = k.Linear.Y.Width + v.Linear.Y.Width };
            nodes[nodes.IndexOf(write)] = new RotaryCacheWriteNode(write.Cache, write.Attention with { QueryHeads = 0 }, joint, joint);
            nodes[nodes.IndexOf(k.Linear)] = new FusedLinearNode([Segment(k.Linear), Segment(v.Linear)], null, false, k.Linear.X, joint);
            nodes.Remove(v.Linear);
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

    /// <summary>activation(linear(x)): one product with the activation as its epilogue.</summary>
    private static void FuseActivation(List<Node> nodes)
    {
        foreach (var node in nodes.OfType<ActivationNode>().ToList())
        {
            if (Producer<LinearNode>(nodes, node.X) is not { } linear || !OnlyUse(nodes, linear.Y, node))
                continue;
            nodes[nodes.IndexOf(node)] = new FusedLinearNode([Segment(linear)], node.Activation, false, linear.X, node.Y);
            nodes.Remove(linear);
        }
    }

    /// <summary>residual + linear(x), where the residual has no other reader from there on: the product adds to it in place.</summary>
    private static void FuseResidual(List<Node> nodes)
    {
        for (var i = 0; i < nodes.Count; i++)
        {
            if (nodes[i] is not AddNode { Scale: 1 } add
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
                VirtualRowsNode n => n with { X = Map(n.X) },
                VirtualKeysNode n => n,
                PositionRowsNode n => n with { Y = Map(n.Y) },
                JoinNode n => n with { A = Map(n.A), B = Map(n.B), Y = Map(n.Y) },
                AddPositionsNode n => n with { X = Map(n.X), Y = Map(n.Y) },
                ActivationNode n => n with { X = Map(n.X), Y = Map(n.Y) },
                ClampNode n => n with { X = Map(n.X), Y = Map(n.Y) },
                ScaleLogitsNode n => n with { X = Map(n.X) },
                ExpertsNode n => n with { Router = Map(n.Router), X = Map(n.X), Y = Map(n.Y) },
                SwitchNode n => n with { Switch = Map(n.Switch), X = Map(n.X), Y = Map(n.Y) },
                HeadNormNode n => n with { QueriesKeysValues = Map(n.QueriesKeysValues) },
                AddNode n => n with { A = Map(n.A), B = Map(n.B), Y = Map(n.Y) },
                GateNode n => n with { Gate = Map(n.Gate), Up = Map(n.Up), Y = Map(n.Y) },
                RotaryNode n => n with { X = Map(n.X), Y = Map(n.Y) },
                CacheWriteNode n => n with { Keys = Map(n.Keys), Values = Map(n.Values) },
                RotaryCacheWriteNode n => n with { QueriesKeysValues = Map(n.QueriesKeysValues), Queries = Map(n.Queries) },
                HeadLinearNode n => n with { X = Map(n.X), Y = Map(n.Y) },
                LatentWriteNode n => n with
                {
                    TurnedQueries = Map(n.TurnedQueries), LatentQueries = Map(n.LatentQueries), TurnedKey = Map(n.TurnedKey), Latent = Map(n.Latent), Queries = Map(n.Queries),
                },
                AttentionNode n => n with { Queries = Map(n.Queries), Y = Map(n.Y) },
                GatherRowsNode n => n with { X = Map(n.X), Y = Map(n.Y) },
                RecurrentNode n => n.Over(Map),
                var n => throw new InvalidOperationException($"fusion does not know the values of a {n.GetType().Name}"),
            };
        }
    }

    /// <summary>A projection to heads and what becomes of it before anybody else reads it.</summary>
    private sealed record Heads(LinearNode Linear, ClampNode? Clamp, NormNode? Norm, RotaryNode? Turn)
    {
        public IEnumerable<Node> Nodes => new Node?[] { Linear, Clamp, Norm, Turn }.OfType<Node>();

        public static Heads? Find(List<Node> nodes, Value value, Node user)
        {
            var turn = Before<RotaryNode>(nodes, ref value, ref user);
            var norm = Before<NormNode>(nodes, ref value, ref user);
            turn ??= Before<RotaryNode>(nodes, ref value, ref user);
            var clamp = Before<ClampNode>(nodes, ref value, ref user);
            return Before<LinearNode>(nodes, ref value, ref user) is { } linear ? new(linear, clamp, norm, turn) : null;
        }

        /// <summary>The node of this kind that makes <paramref name="value"/> for <paramref name="user"/> alone; both move on to it.</summary>
        private static TNode? Before<TNode>(List<Node> nodes, ref Value value, ref Node user)
            where TNode : Node
        {
            if (Producer<TNode>(nodes, value) is not { } node || !OnlyUse(nodes, value, user))
                return null;
            user = node;
            value = node.Inputs[0];
            return node;
        }
    }
}
