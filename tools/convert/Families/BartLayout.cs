using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What fairseq's encoder-decoders share: names, sizes, biases everywhere, one embedding for encoder, decoder and head.</summary>
/// <param name="others">Modules that have another name than BART's.</param>
internal abstract class BartLayout(params IEnumerable<(string Packed, string Source)> others) : ModuleFamily
{
    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>(
    [
        .. new Dictionary<string, string>
        {
            ["embedding"] = "model.shared",
            ["encoder.positions"] = "model.encoder.embed_positions",
            ["encoder.embedding_norm"] = "model.encoder.layernorm_embedding",
            ["encoder.final_norm"] = "model.encoder.layer_norm",
            ["positions"] = "model.decoder.embed_positions",
            ["embedding_norm"] = "model.decoder.layernorm_embedding",
            ["final_norm"] = "model.decoder.layer_norm",
            ["cross_attention_norm"] = "model.decoder.layers.#.encoder_attn_layer_norm",
            ["cross_attention_sum_norm"] = "model.decoder.layers.#.encoder_attn_layer_norm",
            ["cross_attention.query"] = "model.decoder.layers.#.encoder_attn.q_proj",
            ["cross_attention.key"] = "model.decoder.layers.#.encoder_attn.k_proj",
            ["cross_attention.value"] = "model.decoder.layers.#.encoder_attn.v_proj",
            ["cross_attention.output"] = "model.decoder.layers.#.encoder_attn.out_proj",
        },
        .. Layer(TensorSchema.Encoder, "model.encoder.layers.#."),
        .. Layer("", "model.decoder.layers.#."),
    ]).Concat(others.Select(pair => KeyValuePair.Create(pair.Packed, pair.Source))).GroupBy(pair => pair.Key).ToDictionary(group => group.Key, group => group.Last().Value);

    /// <summary>The model, its norms before each block or after each sum.</summary>
    /// <param name="config">The config.</param>
    /// <param name="normsFirst">Each block norms its input, and each stack its result; otherwise sums are normed.</param>
    /// <param name="normsEmbedding">The embedding is normed.</param>
    /// <param name="hasHeadBias">Something is added to the logits.</param>
    /// <param name="activation">When 'activation_function' is missing.</param>
    /// <param name="feedForward">Changes the feed-forward block of a layer of the encoder (true) or the decoder by its number; null for none.</param>
    protected static ModelDescription Describe(
        ConfigFile config, bool normsFirst, bool normsEmbedding, bool hasHeadBias, string activation = "gelu", Func<FeedForwardDescription, bool, int, FeedForwardDescription>? feedForward = null)
    {
        var hidden = config.Int("d_model");
        var context = config.Length("max_position_embeddings", 1024);
        if ((long)context * hidden > Array.MaxLength)
            throw config.Error("'max_position_embeddings' asks for a table of positions that is too large");
        var norm = ConfigParts.LayerNorm(1e-5);
        var (before, after) = normsFirst ? (norm, (NormDescription?)null) : (null, norm);
        var embedding = new EmbeddingDescription
        {
            Scale = config.Bool("scale_embedding", false) ? (float)Math.Sqrt(hidden) : null,
            Positions = context,
            Norm = normsEmbedding ? norm : null,
        };

        AttentionDescription Attention(string name)
        {
            var heads = config.Int(name);
            var size = ConfigParts.HeadSize(config, hidden, heads);
            return new() { QueryHeads = heads, KeyValueHeads = heads, HeadSize = size, Scale = ConfigParts.Scale(size), InputBias = true, OutputBias = true };
        }

        IEnumerable<LayerDescription> Stack(string name, bool isEncoder)
        {
            var attention = Attention($"{name}_attention_heads");
            var block = new FeedForwardDescription
            {
                Plain = true,
                IntermediateSize = config.Int($"{name}_ffn_dim"),
                Activation = ConfigParts.Activation(config, "activation_function", activation),
                Bias = true,
            };
            return Enumerable.Range(0, ConfigParts.Layers(config, $"{name}_layers")).Select(i => new LayerDescription
            {
                AttentionNorm = before,
                Attention = attention,
                AttentionSumNorm = after,
                CrossAttentionNorm = isEncoder ? null : before,
                CrossAttention = isEncoder ? null : attention,
                CrossAttentionSumNorm = isEncoder ? null : after,
                FeedForwardNorm = before,
                FeedForward = feedForward?.Invoke(block, isEncoder, i) ?? block,
                FeedForwardSumNorm = after,
            });
        }

        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Embedding = embedding,
            Encoder = new() { Embedding = embedding, Layers = [.. Stack("encoder", isEncoder: true)], FinalNorm = before, StartTokens = EncoderDecoder.StartTokens(config) },
            Layers = [.. Stack("decoder", isEncoder: false)],
            FinalNorm = before,
            Head = new() { Tied = config.Bool("tie_word_embeddings", true), Bias = hasHeadBias },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        // Added to the logits; almost always zeros, and left out by some.
        if (requirement.Name == TensorSchema.HeadBias)
            return shelf.TryTake("final_logits_bias") is { } bias ? new(bias) : new([]) { Transform = _ => new float[requirement.Shape[0]] };
        var isTable = ModuleOf(requirement.Name) is "positions" or "encoder.positions";
        return isTable ? Positions(requirement, shelf) : new(shelf.Take(SourceName(requirement.Name)));
    }

    /// <inheritdoc/>
    public override string? CopyOf(string sourceName, ModelDescription model) =>
        sourceName.EndsWith("coder.embed_tokens.weight", StringComparison.Ordinal) ? TensorSchema.Embedding : base.CopyOf(sourceName, model);

    /// <summary>Tables of positions that are computed are stored by some all the same.</summary>
    public override bool IsIgnored(string sourceName, ModelDescription model) => sourceName.EndsWith("embed_positions.weight", StringComparison.Ordinal) || base.IsIgnored(sourceName, model);

    /// <summary>A table of positions: what training learned.</summary>
    protected virtual TensorSource Positions(TensorRequirement requirement, TensorShelf shelf) =>
        new(AfterPadding(shelf.Take(SourceName(requirement.Name)), requirement.Shape[0]));

    /// <summary>A table of positions that is computed. Where the checkpoint has a copy of it, that has as many positions.</summary>
    protected TensorSource Computed(TensorRequirement requirement, TensorShelf shelf)
    {
        if (shelf.TryTake(SourceName(requirement.Name)) is { } copy && !copy.Shape.SequenceEqual(requirement.Shape.Select(size => (long)size)))
            throw new ShapeException(copy, $"[{string.Join(", ", requirement.Shape)}]");
        return new([]) { Transform = _ => Sinusoids.Table(requirement.Shape[0], requirement.Shape[1], 0, reachesLast: false) };
    }

    private static IEnumerable<KeyValuePair<string, string>> Layer(string packed, string source) => new (string Packed, string Source)[]
    {
        ("attention_norm", "self_attn_layer_norm"),
        ("attention_sum_norm", "self_attn_layer_norm"),
        ("attention.query", "self_attn.q_proj"),
        ("attention.key", "self_attn.k_proj"),
        ("attention.value", "self_attn.v_proj"),
        ("attention.output", "self_attn.out_proj"),
        ("feed_forward_norm", "final_layer_norm"),
        ("feed_forward_sum_norm", "final_layer_norm"),
        ("feed_forward.up", "fc1"),
        ("feed_forward.down", "fc2"),
    }.Select(pair => KeyValuePair.Create(packed + pair.Packed, source + pair.Source));
}
