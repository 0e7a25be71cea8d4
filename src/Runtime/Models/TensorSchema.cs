namespace Weft.Models;

/// <summary>One tensor that a model description asks for.</summary>
/// <param name="Name">Name in the packed file.</param>
/// <param name="Shape">Sizes, outermost first; a linear weight is [out, in].</param>
public sealed record TensorRequirement(string Name, IReadOnlyList<int> Shape)
{
    /// <summary>Vectors (norm weights, biases) are stored as f32 whatever the weights' type: they are small and added in f32.</summary>
    public bool IsVector => Shape.Count == 1;
}

/// <summary>
/// The names and shapes of all tensors of a model, derived from its description alone. The converter fills exactly this list and
/// the loader demands exactly this list, so the two cannot drift apart.
/// </summary>
public static class TensorSchema
{
    /// <summary>[V, C] token embedding.</summary>
    public const string Embedding = "embedding.weight";

    /// <summary>[C] norm before the head.</summary>
    public const string FinalNorm = "final_norm.weight";

    /// <summary>[V, C] head, absent when tied.</summary>
    public const string Head = "head.weight";

    /// <summary>Prefix of layer <paramref name="layer"/>'s tensors, ending in a dot.</summary>
    public static string Layer(int layer) => $"layers.{layer}.";

    /// <summary>Every tensor of <paramref name="model"/> in file order, which is the order in which a step reads them.</summary>
    public static IEnumerable<TensorRequirement> Of(ModelDescription model)
    {
        var c = model.HiddenSize;
        yield return new(Embedding, [model.VocabularySize, c]);
        for (var i = 0; i < model.Layers.Count; i++)
        {
            foreach (var tensor in OfLayer(Layer(i), model.Layers[i], c))
                yield return tensor;
        }

        yield return new(FinalNorm, [c]);
        if (!model.Head.Tied)
            yield return new(Head, [model.VocabularySize, c]);
    }

    private static IEnumerable<TensorRequirement> OfLayer(string prefix, LayerDescription layer, int c)
    {
        var attention = layer.Attention;
        var q = attention.QueryHeads * attention.HeadSize;
        var kv = attention.KeyValueHeads * attention.HeadSize;
        var f = layer.FeedForward.IntermediateSize;
        return
        [
            new(prefix + "attention_norm.weight", [c]),
            .. Linear(prefix + "attention.query", q, c, attention.InputBias),
            .. Linear(prefix + "attention.key", kv, c, attention.InputBias),
            .. Linear(prefix + "attention.value", kv, c, attention.InputBias),
            .. Linear(prefix + "attention.output", c, q, attention.OutputBias),
            new(prefix + "feed_forward_norm.weight", [c]),
            .. Linear(prefix + "feed_forward.gate", f, c, layer.FeedForward.Bias),
            .. Linear(prefix + "feed_forward.up", f, c, layer.FeedForward.Bias),
            .. Linear(prefix + "feed_forward.down", c, f, layer.FeedForward.Bias),
        ];
    }

    private static IEnumerable<TensorRequirement> Linear(string name, int rows, int columns, bool bias)
    {
        yield return new(name + ".weight", [rows, columns]);
        if (bias)
            yield return new(name + ".bias", [rows]);
    }
}
