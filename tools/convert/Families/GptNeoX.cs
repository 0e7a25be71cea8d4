using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// GPT-NeoX 20B, Pythia, Dolly, StableLM-Alpha, RedPajama, …: parallel branches with a norm each, part of a head turning
/// (Black et al. 2022, arXiv 2204.06745; Biderman et al. 2023, arXiv 2304.01373).
/// </summary>
internal sealed class GptNeoX : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GPTNeoXForCausalLM"];

    /// <inheritdoc/>
    public override string Prefix => "gpt_neox.";

    /// <inheritdoc/>
    protected override string HeadModule => "embed_out";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "gpt_neox.embed_in",
        ["attention_norm"] = "gpt_neox.layers.#.input_layernorm",
        ["attention.query"] = "gpt_neox.layers.#.attention.query_key_value",
        ["attention.key"] = "gpt_neox.layers.#.attention.query_key_value",
        ["attention.value"] = "gpt_neox.layers.#.attention.query_key_value",
        ["attention.output"] = "gpt_neox.layers.#.attention.dense",
        ["feed_forward_norm"] = "gpt_neox.layers.#.post_attention_layernorm",
        ["feed_forward.up"] = "gpt_neox.layers.#.mlp.dense_h_to_4h",
        ["feed_forward.down"] = "gpt_neox.layers.#.mlp.dense_4h_to_h",
        ["final_norm"] = "gpt_neox.final_layer_norm",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var hidden = config.Int("hidden_size");
        var heads = config.Int("num_attention_heads");
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var context = config.Int("max_position_embeddings", 2048);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_eps");
        var bias = config.Bool("attention_bias", true);
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = heads,
                HeadSize = size,
                Scale = ConfigParts.Scale(size),
                InputBias = bias,
                OutputBias = bias,
                Rotary = RotaryConfig.ReadPartial(config, context, size, defaultPart: 0.25, "rotary_pct", "rotary_emb_base"),
            },
            Parallel = config.Bool("use_parallel_residual", true),
            FeedForwardNorm = norm,
            FeedForward = new()
            {
                Plain = true,
                IntermediateSize = config.Int("intermediate_size"),
                Activation = ConfigParts.Activation(config, "hidden_act", "gelu"),
                Bias = true,
            },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, "num_hidden_layers"))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", false) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => FromFused(requirement, model, shelf, InGroups);
}
