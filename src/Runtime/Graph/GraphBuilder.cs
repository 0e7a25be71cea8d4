using Weft.Models;

namespace Weft.Graph;

/// <summary>Writes out a model description as single operations, one tensor each; <see cref="Fusion"/> joins them afterwards.</summary>
public sealed class GraphBuilder
{
    private readonly List<Node> nodes = [];
    private int values;

    private GraphBuilder()
    {
    }

    /// <summary>Builds the graph of <paramref name="model"/>.</summary>
    public static StepGraph Build(ModelDescription model) => new GraphBuilder().BuildModel(model);

    private StepGraph BuildModel(ModelDescription model)
    {
        var x = NewValue(Rows.Tokens, model.HiddenSize);
        nodes.Add(new EmbeddingNode(TensorSchema.Embedding, x));
        for (var i = 0; i < model.Layers.Count; i++)
            x = BuildLayer(i, model.Layers[i], x);

        var last = NewValue(Rows.Logits, model.HiddenSize);
        nodes.Add(new GatherRowsNode(x, last));
        var normed = Norm(model.FinalNorm, TensorSchema.FinalNorm, last);
        var logits = NewValue(Rows.Logits, model.VocabularySize);
        nodes.Add(new LinearNode(model.Head.Tied ? TensorSchema.Embedding : TensorSchema.Head, null, normed, logits));
        return new(nodes, logits, last);
    }

    private Value BuildLayer(int index, LayerDescription layer, Value x)
    {
        var prefix = TensorSchema.Layer(index);
        var normed = Norm(layer.AttentionNorm, prefix + "attention_norm.weight", x);
        x = Add(x, BuildAttention(index, prefix + "attention.", layer.Attention, normed));
        normed = Norm(layer.FeedForwardNorm, prefix + "feed_forward_norm.weight", x);
        return Add(x, BuildFeedForward(prefix + "feed_forward.", layer.FeedForward, normed));
    }

    private Value BuildAttention(int index, string prefix, AttentionDescription attention, Value x)
    {
        var size = attention.HeadSize;
        var q = Linear(prefix + "query", attention.InputBias, x, attention.QueryHeads * size);
        var k = Linear(prefix + "key", attention.InputBias, x, attention.KeyValueHeads * size);
        var v = Linear(prefix + "value", attention.InputBias, x, attention.KeyValueHeads * size);
        q = Rotary(attention, q);
        k = Rotary(attention, k);
        nodes.Add(new CacheWriteNode(index, k, v));
        var mixed = NewValue(Rows.Tokens, q.Width);
        nodes.Add(new AttentionNode(index, attention, q, mixed));
        return Linear(prefix + "output", attention.OutputBias, mixed, x.Width);
    }

    private Value BuildFeedForward(string prefix, FeedForwardDescription block, Value x)
    {
        var gate = Linear(prefix + "gate", block.Bias, x, block.IntermediateSize);
        var up = Linear(prefix + "up", block.Bias, x, block.IntermediateSize);
        var product = NewValue(Rows.Tokens, block.IntermediateSize);
        nodes.Add(new GateNode(block.Activation, gate, up, product));
        return Linear(prefix + "down", block.Bias, product, x.Width);
    }

    private Value Norm(NormDescription norm, string weight, Value x)
    {
        var y = NewValue(x.Rows, x.Width);
        nodes.Add(new NormNode(norm, weight, x, y));
        return y;
    }

    private Value Linear(string name, bool bias, Value x, int width)
    {
        var y = NewValue(x.Rows, width);
        nodes.Add(new LinearNode(name + ".weight", bias ? name + ".bias" : null, x, y));
        return y;
    }

    private Value Rotary(AttentionDescription attention, Value x)
    {
        var y = NewValue(x.Rows, x.Width);
        nodes.Add(new RotaryNode(attention.Rotary, attention.HeadSize, x, y));
        return y;
    }

    private Value Add(Value a, Value b)
    {
        var y = NewValue(a.Rows, a.Width);
        nodes.Add(new AddNode(a, b, y));
        return y;
    }

    private Value NewValue(Rows rows, int width) => new(values++, rows, width);
}
