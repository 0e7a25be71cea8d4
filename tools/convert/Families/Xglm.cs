using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>XGLM: sinusoidal positions, and an embedding that is scaled (Lin et al. 2021, arXiv 2112.10668).</summary>
internal sealed class Xglm : ModuleFamily
{
    // The first position is row 2 of the table; the rows before are for padding.
    private const int Offset = 2;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["XGLMForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("XGLM (arXiv 2112.10668)", "SentencePiece Unigram");

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "model.embed_tokens",
        ["attention_norm"] = "model.layers.#.self_attn_layer_norm",
        ["attention.query"] = "model.layers.#.self_attn.q_proj",
        ["attention.key"] = "model.layers.#.self_attn.k_proj",
        ["attention.value"] = "model.layers.#.self_attn.v_proj",
        ["attention.output"] = "model.layers.#.self_attn.out_proj",
        ["feed_forward_norm"] = "model.layers.#.final_layer_norm",
        ["feed_forward.up"] = "model.layers.#.fc1",
        ["feed_forward.down"] = "model.layers.#.fc2",
        ["final_norm"] = "model.layer_norm",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        ConfigParts.RefuseTrue(config, "add_cross_attention");
        // The padding token's number is also a row of the table, which the reference empties.
        if (config.Int("pad_token_id", 1) >= Offset)
            throw config.Error($"'pad_token_id' of {Offset} or more is not supported");
        var hidden = config.Int(ConfigParts.Spelling(config, "d_model", "hidden_size"));
        var heads = config.Int(ConfigParts.Spelling(config, "attention_heads", "num_attention_heads"));
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var context = config.Length("max_position_embeddings", 2048);
        if ((long)context * hidden > Array.MaxLength)
            throw config.Error("'max_position_embeddings' asks for a table of positions that is too large");
        var norm = ConfigParts.LayerNorm(1e-5);
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new() { QueryHeads = heads, KeyValueHeads = heads, HeadSize = size, Scale = ConfigParts.Scale(size), InputBias = true, OutputBias = true },
            FeedForwardNorm = norm,
            FeedForward = new()
            {
                Plain = true,
                IntermediateSize = config.Int("ffn_dim"),
                Activation = ConfigParts.Activation(config, "activation_function", "gelu"),
                Bias = true,
            },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Embedding = new() { Scale = config.Bool("scale_embedding", true) ? (float)Math.Sqrt(hidden) : null, Positions = context },
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, ConfigParts.Spelling(config, "num_layers", "num_hidden_layers")))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", true) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => requirement.Name == TensorSchema.Positions
        ? new([]) { Transform = _ => Sinusoids.Table(requirement.Shape[0], requirement.Shape[1], Offset) }
        : base.Source(requirement, model, shelf);
}
