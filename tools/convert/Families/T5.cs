using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// T5: an encoder and a decoder without positions but for a learned bias by distance, and with scores that are not scaled (Raffel et al. 2019, arXiv 1910.10683). Its layers share
/// one table of biases, UMT5's have one each.
/// </summary>
internal sealed class T5 : ModuleFamily
{
    // Nothing depends on absolute positions, and far distances share a bucket: 'n_positions' is what a model was trained with, not a limit.
    private const int Context = 2048;

    private const string UMT5 = "UMT5ForConditionalGeneration";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["T5ForConditionalGeneration", "T5WithLMHeadModel", "MT5ForConditionalGeneration", UMT5];

    /// <inheritdoc/>
    public override FamilyCard Card => new(
        "T5 (arXiv 1910.10683), T5 v1.1 (release 2020), FLAN-T5 (arXiv 2210.11416), T0 (arXiv 2110.08207), UL2, FLAN-UL2 (arXiv 2205.05131), mT5 (arXiv 2010.11934), mT0 (arXiv 2211.01786), UMT5 (arXiv 2304.09151)",
        "SentencePiece Unigram");

    /// <inheritdoc/>
    public override string? Prefix => null;

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "shared",
        ["encoder.attention_norm"] = "encoder.block.#.layer.0.layer_norm",
        ["encoder.attention.query"] = "encoder.block.#.layer.0.SelfAttention.q",
        ["encoder.attention.key"] = "encoder.block.#.layer.0.SelfAttention.k",
        ["encoder.attention.value"] = "encoder.block.#.layer.0.SelfAttention.v",
        ["encoder.attention.output"] = "encoder.block.#.layer.0.SelfAttention.o",
        ["encoder.feed_forward_norm"] = "encoder.block.#.layer.1.layer_norm",
        ["encoder.feed_forward.gate"] = "encoder.block.#.layer.1.DenseReluDense.wi_0",
        ["encoder.feed_forward.up"] = "encoder.block.#.layer.1.DenseReluDense.wi_1",
        ["encoder.feed_forward.down"] = "encoder.block.#.layer.1.DenseReluDense.wo",
        ["encoder.final_norm"] = "encoder.final_layer_norm",
        ["attention_norm"] = "decoder.block.#.layer.0.layer_norm",
        ["attention.query"] = "decoder.block.#.layer.0.SelfAttention.q",
        ["attention.key"] = "decoder.block.#.layer.0.SelfAttention.k",
        ["attention.value"] = "decoder.block.#.layer.0.SelfAttention.v",
        ["attention.output"] = "decoder.block.#.layer.0.SelfAttention.o",
        ["cross_attention_norm"] = "decoder.block.#.layer.1.layer_norm",
        ["cross_attention.query"] = "decoder.block.#.layer.1.EncDecAttention.q",
        ["cross_attention.key"] = "decoder.block.#.layer.1.EncDecAttention.k",
        ["cross_attention.value"] = "decoder.block.#.layer.1.EncDecAttention.v",
        ["cross_attention.output"] = "decoder.block.#.layer.1.EncDecAttention.o",
        ["feed_forward_norm"] = "decoder.block.#.layer.2.layer_norm",
        ["feed_forward.gate"] = "decoder.block.#.layer.2.DenseReluDense.wi_0",
        ["feed_forward.up"] = "decoder.block.#.layer.2.DenseReluDense.wi_1",
        ["feed_forward.down"] = "decoder.block.#.layer.2.DenseReluDense.wo",
        ["final_norm"] = "decoder.final_layer_norm",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var (hidden, heads, size) = (config.Int("d_model"), config.Int("num_heads"), config.Int("d_kv"));
        var isFirst = config.String("model_type") is "t5" or null;
        var tied = config.Bool("tie_word_embeddings", isFirst);
        var norm = new NormDescription { Kind = NormKind.Rms, Epsilon = (float)config.Double("layer_norm_epsilon", 1e-6) };
        // Scores are not divided by √D: initial weights made up for it.
        var cross = new AttentionDescription { QueryHeads = heads, KeyValueHeads = heads, HeadSize = size, Scale = 1 };
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = cross with { BiasDistance = config.Int("relative_attention_max_distance", 128) },
            FeedForwardNorm = norm,
            FeedForward = FeedForward(config),
        };
        var layers = ConfigParts.Layers(config, "num_layers");
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = Math.Max(config.Int("n_positions", Context), Context),
            Encoder = new() { Layers = [.. Enumerable.Repeat(layer, layers)], FinalNorm = norm, StartTokens = EncoderDecoder.StartTokens(config, config.Int("pad_token_id", 0)) },
            Layers =
            [
                .. Enumerable.Repeat(
                    layer with { CrossAttentionNorm = norm, CrossAttention = cross }, config.Has("num_decoder_layers") ? ConfigParts.Layers(config, "num_decoder_layers") : layers),
            ],
            FinalNorm = norm,
            Head = new() { Tied = tied, Scale = config.Bool("scale_decoder_outputs", tied && config.String("model_type") != "mt5") ? ConfigParts.Scale(hidden) : null },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        if (requirement.Name.EndsWith(TensorSchema.DistanceBias, StringComparison.Ordinal))
            return DistanceBias(requirement.Name, model, shelf);
        // Without a gate there is one inner projection, by another name.
        var name = SourceName(requirement.Name);
        return new(shelf.TryTake(name) ?? shelf.Take(name.Replace("wi_1.", "wi.", StringComparison.Ordinal)));
    }

    /// <inheritdoc/>
    public override string? CopyOf(string sourceName, ModelDescription model) =>
        sourceName is "encoder.embed_tokens.weight" or "decoder.embed_tokens.weight" ? TensorSchema.Embedding : base.CopyOf(sourceName, model);

    /// <summary>A bias that early checkpoints have for attention to the source, of which nothing is computed.</summary>
    public override bool IsIgnored(string sourceName, ModelDescription model) =>
        sourceName.EndsWith("EncDecAttention.relative_attention_bias.weight", StringComparison.Ordinal) || base.IsIgnored(sourceName, model);

    /// <summary>[H, distances] of a bias that is stored as [buckets, H], in the first layer for all or in each.</summary>
    private static TensorSource DistanceBias(string packedName, ModelDescription model, TensorShelf shelf)
    {
        var isEncoder = packedName.StartsWith(TensorSchema.Encoder, StringComparison.Ordinal);
        string Name(int layer) => $"{(isEncoder ? "encoder" : "decoder")}.block.{layer}.layer.0.SelfAttention.relative_attention_bias.weight";
        var stored = shelf.TryTake(Name(LayerOf(packedName + ".weight"))) ?? shelf.Take(Name(0));
        var (heads, most) = (model.Layers[0].Attention!.QueryHeads, model.Layers[0].Attention!.BiasDistance!.Value);
        const string Member = "relative_attention_num_buckets";
        var asked = shelf.Config.Int(Member, 32);
        if (stored.Shape is not [var buckets and >= 4, var width] || width != heads || buckets != asked)
            throw new WeftException($"{stored.File}: tensor '{stored.Name}' has the shape [{string.Join(", ", stored.Shape)}], but the config asks for [{asked}, {heads}] ({Member} {asked}, num_heads {heads})");
        return new(stored)
        {
            Resizes = true,
            Transform = bias => [.. from head in Enumerable.Range(0, heads) from distance in Enumerable.Range(-most, (2 * most) + 1) select bias[(Bucket(distance, (int)buckets, most, isEncoder) * heads) + head]],
        };
    }

    /// <summary>
    /// The bucket of a distance key − query, in float32 as in training: half of a side's buckets are of one distance each, the others of ranges that grow up to the longest. In an
    /// encoder keys before and after the query have a side each.
    /// </summary>
    private static int Bucket(int distance, int buckets, int most, bool hasTwoSides)
    {
        var side = hasTwoSides ? buckets / 2 : buckets;
        var first = hasTwoSides && distance > 0 ? side : 0;
        var length = hasTwoSides ? Math.Abs(distance) : Math.Max(-distance, 0);
        var exact = side / 2;
        if (length < exact)
            return first + length;
        var position = MathF.Log((float)length / exact) / (float)Math.Log((double)most / exact) * (side - exact);
        return first + Math.Min(exact + (int)position, side - 1);
    }

    private static FeedForwardDescription FeedForward(ConfigFile config)
    {
        var words = (config.String("feed_forward_proj") ?? "relu").Split('-');
        var isGated = words[0] == "gated";
        return new()
        {
            Plain = !isGated,
            IntermediateSize = config.Int("d_ff"),
            Activation = words[^1] switch
            {
                "relu" => Activation.Relu,
                "silu" => Activation.Silu,
                // In the gated form the name always meant the approximation.
                "gelu" when !isGated => Activation.Gelu,
                "gelu" or "gelu_new" => Activation.GeluTanh,
                var other => throw config.Error($"the activation '{other}' of 'feed_forward_proj' is not supported; supported are relu, gelu, gelu_new, silu"),
            },
        };
    }
}
