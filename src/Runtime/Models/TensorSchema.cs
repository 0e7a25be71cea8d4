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

    /// <summary>[C] bias of the norm before the head.</summary>
    public const string FinalNormBias = "final_norm.bias";

    /// <summary>[V, C] head, absent when tied.</summary>
    public const string Head = "head.weight";

    /// <summary>Prefix of the encoder's tensors, ending in a dot.</summary>
    public const string Encoder = "encoder.";

    /// <summary>Prefix of layer <paramref name="layer"/>'s tensors, ending in a dot.</summary>
    public static string Layer(int layer) => $"layers.{layer}.";

    /// <summary>[P, C] table of positions.</summary>
    public const string Positions = "positions.weight";

    /// <summary>[P, C] table of span positions.</summary>
    public const string SpanPositions = "span_positions.weight";

    /// <summary>[P, C] table of positions that queries are made of.</summary>
    public const string QueryPositions = "query_positions.weight";

    /// <summary>[C, E] projection of the embedding's rows.</summary>
    public const string EmbeddingProjection = "embedding_projection.weight";

    /// <summary>[E, C] projection of what the head reads.</summary>
    public const string HeadProjection = "head_projection.weight";

    /// <summary>[V] bias of the head.</summary>
    public const string HeadBias = "head.bias";

    /// <summary>[V] factors on the logits.</summary>
    public const string HeadRowScale = "head.row_scale";

    /// <summary>Name of the norm of the embedding, without ".weight".</summary>
    public const string EmbeddingNorm = "embedding_norm";

    /// <summary>Name of the bias for choosing experts, after a layer's feed-forward prefix.</summary>
    public const string SelectionBias = "selection_bias";

    /// <summary>Name of the bias by distance, after a layer's attention prefix.</summary>
    public const string DistanceBias = "distance_bias";

    /// <summary>[n, E] what virtual tokens have in place of rows of the embedding.</summary>
    public const string VirtualTokens = VirtualTokensPrefix + "weight";

    private const string VirtualTokensPrefix = "virtual_tokens.";

    /// <summary>[n, 2·G·D] the keys of virtual tokens in a layer's cache, then their values.</summary>
    public static string VirtualKeys(int layer) => $"{VirtualTokensPrefix}{layer}.weight";

    /// <summary>Whether a tensor is a table of virtual tokens.</summary>
    public static bool IsOfVirtualTokens(string name) => name.StartsWith(VirtualTokensPrefix, StringComparison.Ordinal);

    /// <summary>Every tensor of <paramref name="model"/> in file order, which is the order in which a step reads them.</summary>
    public static IEnumerable<TensorRequirement> Of(ModelDescription model)
    {
        var c = model.HiddenSize;
        var e = model.Embedding?.Width ?? c;
        yield return new(Embedding, [model.VocabularySize, e]);
        foreach (var tensor in model.VirtualTokens is { } tokens ? OfVirtualTokens(model, tokens, e) : [])
            yield return tensor;
        if (model.Embedding is { } embedding)
        {
            if (embedding.Width is not null)
                yield return new(EmbeddingProjection, [c, e]);
            if (embedding.Positions is { } positions)
                yield return new(Positions, [positions, c]);
            if (embedding.SpanPositions is { } spans)
                yield return new(SpanPositions, [spans, c]);
            if (embedding.QueryPositions is { } queries)
                yield return new(QueryPositions, [queries, c]);
            foreach (var tensor in Norm(EmbeddingNorm, embedding.Norm, c))
                yield return tensor;
        }

        foreach (var tensor in model.Encoder is { } encoder ? OfEncoder(encoder, c) : [])
            yield return tensor;
        for (var i = 0; i < model.Layers.Count; i++)
        {
            foreach (var tensor in OfLayer(Layer(i), model.Layers[i], c))
                yield return tensor;
        }

        foreach (var tensor in Norm("final_norm", model.FinalNorm, c))
            yield return tensor;
        if (e != c)
            yield return new(HeadProjection, [e, c]);
        if (!model.Head.Tied)
            yield return new(Head, [model.VocabularySize, e]);
        if (model.Head.Bias)
            yield return new(HeadBias, [model.VocabularySize]);
        if (model.Head.RowScale)
            yield return new(HeadRowScale, [model.VocabularySize]);
    }

    private static IEnumerable<TensorRequirement> OfVirtualTokens(ModelDescription model, VirtualTokensDescription tokens, int e) => tokens.Keys
        ? model.Layers.Select((layer, i) => new TensorRequirement(VirtualKeys(i), [tokens.Count, layer.Attention!.CacheSize]))
        : [new(VirtualTokens, [tokens.Count, e])];

    private static IEnumerable<TensorRequirement> OfEncoder(EncoderDescription encoder, int c) =>
    [
        .. encoder.Embedding?.Positions is { } positions ? [new TensorRequirement(Encoder + Positions, [positions, c])] : Array.Empty<TensorRequirement>(),
        .. Norm(Encoder + EmbeddingNorm, encoder.Embedding?.Norm, c),
        .. encoder.Layers.SelectMany((layer, i) => OfLayer(Encoder + Layer(i), layer, c)),
        .. Norm(Encoder + "final_norm", encoder.FinalNorm, c),
    ];

    private static IEnumerable<TensorRequirement> OfLayer(string prefix, LayerDescription layer, int c)
    {
        return
        [
            .. Norm(prefix + "attention_norm", layer.AttentionNorm, c),
            .. layer.Attention is { } attention ? OfAttention(prefix + "attention.", attention, c) : [],
            .. layer.TimeMix is { } mix ? RecurrentSchema.Of(prefix + "time_mix.", mix, c) : [],
            .. layer.StateSpace is { } space ? RecurrentSchema.Of(prefix + "state_space.", space, c) : [],
            .. Norm(prefix + "attention_output_norm", layer.AttentionOutputNorm, c),
            .. Norm(prefix + "attention_sum_norm", layer.AttentionSumNorm, c),
            .. Norm(prefix + "cross_attention_norm", layer.CrossAttentionNorm, c),
            .. layer.CrossAttention is { } cross ? OfAttention(prefix + "cross_attention.", cross, c) : [],
            .. Norm(prefix + "cross_attention_sum_norm", layer.CrossAttentionSumNorm, c),
            .. Norm(prefix + "feed_forward_norm", layer.FeedForwardNorm, c),
            .. layer.FeedForward is { } block ? OfFeedForward(prefix + "feed_forward.", block, c) : [],
            .. Norm(prefix + "feed_forward_output_norm", layer.FeedForwardOutputNorm, c),
            .. Norm(prefix + "feed_forward_sum_norm", layer.FeedForwardSumNorm, c),
        ];
    }

    private static IEnumerable<TensorRequirement> OfAttention(string prefix, AttentionDescription attention, int c)
    {
        var q = attention.QueryHeads * attention.HeadSize;
        var kv = attention.KeyValueHeads * attention.HeadSize;
        return
        [
            .. attention.Latent is { } latent ? OfLatent(prefix, attention, latent, c) :
            [
                .. Linear(prefix + "query", q, c, attention.InputBias),
                .. Linear(prefix + "key", kv, c, attention.InputBias),
                .. Linear(prefix + "value", kv, c, attention.InputBias),
                .. Norm(prefix + "query_norm", attention.QueryKeyNorm?.Norm, q),
                .. Norm(prefix + "key_norm", attention.QueryKeyNorm?.Norm, kv),
            ],
            .. attention.BiasDistance is { } most ? [new TensorRequirement(prefix + DistanceBias, [attention.QueryHeads * ((2 * most) + 1)])] : Array.Empty<TensorRequirement>(),
            .. attention.Sinks ? [new TensorRequirement(prefix + "sinks", [attention.QueryHeads])] : Array.Empty<TensorRequirement>(),
            .. Linear(prefix + "output", c, attention.QueryHeads * (attention.Latent?.ValueSize ?? attention.HeadSize), attention.OutputBias),
        ];
    }

    private static IEnumerable<TensorRequirement> OfLatent(string prefix, AttentionDescription attention, LatentDescription latent, int c)
    {
        var (heads, turned) = (attention.QueryHeads, attention.HeadSize - latent.Rank);
        var queryInputs = latent.QueryRank ?? c;
        return
        [
            .. latent.QueryRank is { } rank ? [.. Linear(prefix + "query_latent", rank, c, attention.InputBias), .. Norm(prefix + "query_latent_norm", latent.Norm, rank)] : Array.Empty<TensorRequirement>(),
            .. Linear(prefix + "query", heads * latent.PlainSize, queryInputs, false),
            .. Linear(prefix + "query_turned", heads * turned, queryInputs, false),
            .. Linear(prefix + "key_turned", turned, c, attention.InputBias),
            .. Linear(prefix + "latent", latent.Rank, c, attention.InputBias),
            .. Norm(prefix + "latent_norm", latent.Norm, latent.Rank),
            new TensorRequirement(prefix + "query_to_latent.weight", [heads, latent.Rank, latent.PlainSize]),
            new TensorRequirement(prefix + "value.weight", [heads, latent.ValueSize, latent.Rank]),
        ];
    }

    private static IEnumerable<TensorRequirement> OfFeedForward(string prefix, FeedForwardDescription block, int c)
    {
        var f = block.IntermediateSize;
        if (block.Experts is not { } experts)
        {
            return
            [
                .. block.TokenShift ? [new TensorRequirement(prefix + "mix", [c])] : Array.Empty<TensorRequirement>(),
                .. block.Receptance ? [new TensorRequirement(prefix + "receptance_mix", [c])] : Array.Empty<TensorRequirement>(),
                .. Projections(prefix, f, c, 1, block),
                .. block.Receptance ? Linear(prefix + "receptance", c, c, false) : [],
            ];
        }

        return
        [
            .. Linear(prefix + "router", experts.Count, c, experts.RouterBias),
            .. experts.SelectionBias ? [new TensorRequirement(prefix + SelectionBias, [experts.Count])] : Array.Empty<TensorRequirement>(),
            .. Projections(prefix, f, c, experts.Count, block),
            .. experts.SharedSize is { } size ? Projections(prefix + "shared.", size, c, 1, block) : [],
            .. experts.SharedSwitch ? Linear(prefix + "switch", 1, c, false) : [],
        ];
    }

    // The rows of all experts lie one after the other.
    private static IEnumerable<TensorRequirement> Projections(string prefix, int f, int c, int experts, FeedForwardDescription block) =>
    [
        .. block.Plain ? [] : Linear(prefix + "gate", experts * f, c, block.Bias),
        .. Linear(prefix + "up", experts * f, c, block.Bias),
        .. Linear(prefix + "down", experts * c, f, block.Bias),
    ];

    private static IEnumerable<TensorRequirement> Norm(string name, NormDescription? norm, int width)
    {
        if (norm is { Weightless: false })
            yield return new(name + ".weight", [width]);
        if (norm is { Bias: true })
            yield return new(name + ".bias", [width]);
    }

    private static IEnumerable<TensorRequirement> Linear(string name, int rows, int columns, bool bias)
    {
        yield return new(name + ".weight", [rows, columns]);
        if (bias)
            yield return new(name + ".bias", [rows]);
    }
}
