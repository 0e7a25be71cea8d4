using Weft.Graph;
using Weft.Models;
using Weft.Reference;

namespace Weft.Runtime.Tests.Graph;

[TestFixture]
public sealed class FusionTests
{
    [Test]
    public void A_layer_becomes_seven_launches()
    {
        var graph = Fusion.Fuse(GraphBuilder.Build(TinyModel.Describe(layers: 1)));
        Assert.That(graph.Nodes.Select(node => node.GetType()), Is.EqualTo(new[]
        {
            typeof(EmbeddingNode),
            typeof(NormNode), typeof(FusedLinearNode), typeof(RotaryCacheWriteNode), typeof(AttentionNode), typeof(FusedLinearNode),
            typeof(NormNode), typeof(FusedLinearNode), typeof(FusedLinearNode),
            typeof(GatherRowsNode), typeof(NormNode), typeof(FusedLinearNode),
        }));
    }

    [Test]
    public void Products_are_joined_gated_and_added_to_the_residual()
    {
        var description = TinyModel.Describe(layers: 2, bias: true);
        var products = Fusion.Fuse(GraphBuilder.Build(description)).Nodes.OfType<FusedLinearNode>().ToList();
        Assert.Multiple(() =>
        {
            Assert.That(products[0].Segments.Select(s => s.Weight), Is.EqualTo(new[]
            {
                "layers.0.attention.query.weight", "layers.0.attention.key.weight", "layers.0.attention.value.weight",
            }));
            Assert.That(products[0].Segments.Select(s => s.Bias), Has.All.Not.Null);
            Assert.That(products[1].Accumulate, Is.True);
            Assert.That(products[2].Gate, Is.EqualTo(description.Layers[0].FeedForward!.Activation));
            Assert.That(products[2].Y.Width, Is.EqualTo(2 * description.Layers[0].FeedForward!.IntermediateSize));
            Assert.That(products[3].Accumulate, Is.True);
            Assert.That(products[3].Y, Is.EqualTo(products[1].Y), "the residual stream is one buffer");
        });
    }

    /// <summary>Neighbours that are alike stay one product.</summary>
    [TestCase("query", new[] { 0, 64 })]
    [TestCase("key", new[] { 0, 64, 96 })]
    [TestCase("value", new[] { 0, 96 })]
    [TestCase("output", new[] { 0 })]
    public void Unlike_weights_become_products_that_write_columns_of_their_own(string unlike, int[] columns)
    {
        var (whole, parts) = SplitLayer(unlike);
        var joint = whole.OfType<FusedLinearNode>().First();
        var products = parts.OfType<FusedLinearNode>().Where(product => product.Y == joint.Y).ToList();
        Assert.That(products.Select(product => product.Column), Is.EqualTo(columns));
        Assert.That(products.SelectMany(product => product.Segments), Is.EqualTo(joint.Segments));
        Assert.That(products.Select(product => product.X), Has.All.EqualTo(joint.X));
        Assert.That(parts, Has.Count.EqualTo(whole.Count + columns.Length - 1));
    }

    [Test]
    public void Unlike_gate_and_up_meet_after_both_products()
    {
        var (whole, parts) = SplitLayer("up");
        var joint = whole.OfType<FusedLinearNode>().Single(product => product.Gate is not null);
        var at = parts.ToList().FindIndex(node => node is GateHalvesNode);
        Assert.That(parts[at], Is.EqualTo(new GateHalvesNode(joint.Gate!.Value, joint.Y)));
        var products = parts.Skip(at - 2).Take(2).Cast<FusedLinearNode>().ToList();
        Assert.That(products.Select(product => (product.Segments.Single(), product.Column, product.Activation, product.Y)), Is.EqualTo(new[]
        {
            (joint.Segments[0], 0, (Activation?)null, joint.Y),
            (joint.Segments[1], joint.Segments[0].Rows, null, joint.Y),
        }));
    }

    /// <summary>The nodes of a layer before and after the matrix of this name is unlike the others.</summary>
    private static (IReadOnlyList<Node> Whole, IReadOnlyList<Node> Parts) SplitLayer(string unlike)
    {
        var graph = Fusion.Fuse(GraphBuilder.Build(TinyModel.Describe(layers: 1)));
        bool Is(string name) => name.EndsWith($".{unlike}.weight", StringComparison.Ordinal);
        return (graph.Nodes, Fusion.SplitUnlike(graph, (a, b) => Is(a) == Is(b)).Nodes);
    }

    private static IEnumerable<string> BlockNames => BlockModels.Names.Append("llama");

    [TestCaseSource(nameof(BlockNames))]
    public void Every_input_of_a_fused_graph_was_written_before(string name)
    {
        var written = new HashSet<Value>();
        var nodes = Fusion.Fuse(GraphBuilder.Build(name == "llama" ? TinyModel.Describe(layers: 3) : BlockModels.Describe(name))).Nodes;
        Value? InputOf(Value product) => nodes.OfType<FusedLinearNode>().FirstOrDefault(linear => linear.Y == product)?.X;
        foreach (var node in nodes)
        {
            Assert.That(node, Is.Not.InstanceOf<LinearNode>().And.Not.InstanceOf<CacheWriteNode>().And.Not.InstanceOf<RotaryNode>());
            if (node is GateNode gate)
                Assert.That(InputOf(gate.Gate) is { } input && input == InputOf(gate.Up), Is.False, "two products of one input gate in their epilogue");
            Assert.That(node.Inputs, Is.SubsetOf(written), node.GetType().Name);
            written.UnionWith(node.Outputs);
        }
    }

    [Test]
    public void A_residual_that_is_read_later_is_not_overwritten()
    {
        var x = new Value(0, Rows.Tokens, 8);
        var y = new Value(1, Rows.Tokens, 8);
        var sum = new Value(2, Rows.Tokens, 8);
        var last = new Value(3, Rows.Tokens, 8);
        var graph = new StepGraph(
            [
                new EmbeddingNode("e", 1, null, x),
                new LinearNode("w", null, x, y),
                new AddNode(1, x, y, sum),
                new AddNode(1, sum, x, last),
            ],
            last,
            last);
        Assert.That(Fusion.Fuse(graph).Nodes.OfType<AddNode>().Count(), Is.EqualTo(2), "x has a reader after the sum");
    }
}
