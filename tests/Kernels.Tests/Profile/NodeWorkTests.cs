using Weft.Graph;
using Weft.Models;
using Weft.Profile.Model;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Kernels.Tests.Profile;

/// <summary>What nodes are said to move.</summary>
[TestFixture]
public sealed class NodeWorkTests
{
    [Test]
    public void Parts_of_a_product_write_what_the_whole_does_and_read_its_input_each()
    {
        var (x, y) = (new Value(0, Rows.Tokens, 8), new Value(1, Rows.Tokens, 24));
        var whole = new FusedLinearNode([new("layers.0.query.weight", null, 16), new("layers.0.key.weight", null, 8)], null, false, x, y);
        var parts = Fusion.SplitUnlike(new([whole], y, y), (_, _) => false).Nodes;
        var step = new StepSize(1, 5, 0, 1, ActivationBytes: 2, CacheBytes: 2);
        double Bytes(Node node) => NodeWork.Of(node, name => new(name, DataType.Float16, TensorLayout.RowMajor, [name.Contains("query", StringComparison.Ordinal) ? 16 : 8, 8], 0, 256, 0), step).Bytes;
        Assert.That(parts, Has.Count.EqualTo(2));
        Assert.That(parts.Sum(Bytes), Is.EqualTo(Bytes(whole) + (5 * 8 * 2)));
        Assert.That(Bytes(new GateHalvesNode(Activation.Silu, y)), Is.EqualTo(5 * (24 + 12) * 2));
    }
}
