using FsCheck;
using FsCheck.Fluent;
using Weft.Graph;
using Weft.Reference;

namespace Weft.Runtime.Tests.Graph;

[TestFixture]
public sealed class MemoryPlanTests
{
    [Test]
    public void Values_that_live_at_the_same_time_never_overlap()
    {
        var shapes = from layers in Gen.Choose(1, 4)
                     from hidden in Gen.Choose(1, 200)
                     from tokens in Gen.Choose(1, 70)
                     from rows in Gen.Choose(1, 70)
                     select (layers, hidden, tokens, rows);
        Prop.ForAll(shapes.ToArbitrary(), shape =>
        {
            var graph = Fusion.Fuse(GraphBuilder.Build(TinyModel.Describe(layers: shape.layers, hidden: shape.hidden)));
            var plan = Plan(graph, shape.tokens, shape.rows);
            var lives = Lives(graph, shape.tokens, shape.rows);
            foreach (var (a, b) in from a in lives from b in lives where a.Value != b.Value select (a, b))
            {
                var together = a.First <= b.Last && b.First <= a.Last;
                var apart = plan.Offset(a.Value) + a.Bytes <= plan.Offset(b.Value) || plan.Offset(b.Value) + b.Bytes <= plan.Offset(a.Value);
                if (together && !apart)
                    return false;
            }

            return lives.All(life => plan.Offset(life.Value) % MemoryPlan.Alignment == 0 && plan.Offset(life.Value) + life.Bytes <= plan.Size);
        }).QuickCheckThrowOnFailure();
    }

    [Test]
    public void Layers_share_memory()
    {
        long Size(int layers) => Plan(Fusion.Fuse(GraphBuilder.Build(TinyModel.Describe(layers: layers))), 64, 1).Size;
        Assert.That(Size(20), Is.EqualTo(Size(2)));
    }

    private static MemoryPlan Plan(StepGraph graph, int tokens, int rows) =>
        MemoryPlan.Create(graph, tokens, rows, value => value.Width * sizeof(float));

    private static List<(Value Value, int First, int Last, long Bytes)> Lives(StepGraph graph, int tokens, int rows)
    {
        var nodes = graph.Nodes;
        return [.. nodes.SelectMany(node => node.Inputs.Concat(node.Outputs)).Distinct().Select(value =>
        {
            var uses = Enumerable.Range(0, nodes.Count).Where(i => nodes[i].Inputs.Contains(value) || nodes[i].Outputs.Contains(value)).ToList();
            var bytes = 4L * value.Width * (value.Rows == Rows.Tokens ? tokens : rows);
            return (value, uses[0], value == graph.Logits ? nodes.Count : uses[^1], bytes);
        })];
    }
}
