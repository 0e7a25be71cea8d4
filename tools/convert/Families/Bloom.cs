using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>BLOOM and BLOOMZ: ALiBi, and a norm of the embedding (Le Scao et al. 2022, arXiv 2211.05100).</summary>
internal sealed class Bloom : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["BloomForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("BLOOM (arXiv 2211.05100), BLOOMZ (arXiv 2211.01786)", "byte-level BPE");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        ChatTurns.Belle,
    ];

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.word_embeddings",
        ["embedding_norm"] = "transformer.word_embeddings_layernorm",
        ["attention_norm"] = "transformer.h.#.input_layernorm",
        ["attention.query"] = "transformer.h.#.self_attention.query_key_value",
        ["attention.key"] = "transformer.h.#.self_attention.query_key_value",
        ["attention.value"] = "transformer.h.#.self_attention.query_key_value",
        ["attention.output"] = "transformer.h.#.self_attention.dense",
        ["feed_forward_norm"] = "transformer.h.#.post_attention_layernorm",
        ["feed_forward.up"] = "transformer.h.#.mlp.dense_h_to_4h",
        ["feed_forward.down"] = "transformer.h.#.mlp.dense_4h_to_h",
        ["final_norm"] = "transformer.ln_f",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var hidden = config.Int(ConfigParts.Spelling(config, "hidden_size", "n_embed"));
        var heads = config.Int(ConfigParts.Spelling(config, "n_head", "num_attention_heads"));
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_epsilon");
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = heads,
                HeadSize = size,
                Scale = ConfigParts.Scale(size),
                InputBias = true,
                OutputBias = true,
                AlibiSlopes = ConfigParts.AlibiSlopes(heads),
            },
            FeedForwardNorm = norm,
            FeedForward = new() { Plain = true, IntermediateSize = 4 * hidden, Activation = Activation.GeluTanh, Bias = true },
            NormedResidual = config.Bool("apply_residual_connection_post_layernorm", false),
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            // Nothing in the model depends on it; the releases were trained with the default.
            ContextLength = config.Length("seq_length", 2048),
            Embedding = new() { Norm = norm },
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, ConfigParts.Spelling(config, "n_layer", "num_hidden_layers")))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", true) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => FromFused(requirement, model, shelf, InGroups);
}
