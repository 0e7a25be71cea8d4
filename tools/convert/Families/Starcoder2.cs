using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>StarCoder 2: grouped queries, rotary positions and a window, with LayerNorm and a plain feed-forward block (Lozhkov et al. 2024, arXiv 2402.19173).</summary>
internal sealed class Starcoder2 : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Starcoder2ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("StarCoder 2 (arXiv 2402.19173)", "byte-level BPE");

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "model.embed_tokens",
        ["attention_norm"] = "model.layers.#.input_layernorm",
        ["attention.query"] = "model.layers.#.self_attn.q_proj",
        ["attention.key"] = "model.layers.#.self_attn.k_proj",
        ["attention.value"] = "model.layers.#.self_attn.v_proj",
        ["attention.output"] = "model.layers.#.self_attn.o_proj",
        ["feed_forward_norm"] = "model.layers.#.post_attention_layernorm",
        ["feed_forward.up"] = "model.layers.#.mlp.c_fc",
        ["feed_forward.down"] = "model.layers.#.mlp.c_proj",
        ["final_norm"] = "model.norm",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var hidden = config.Int("hidden_size");
        var heads = config.Int("num_attention_heads");
        var size = config.Has("head_dim") ? config.Int("head_dim") : ConfigParts.HeadSize(config, hidden, heads);
        var context = config.Length("max_position_embeddings", 4096);
        var norm = ConfigParts.LayerNorm(config, "norm_epsilon");
        var bias = config.Bool("use_bias", true);
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = config.Int("num_key_value_heads", 2),
                HeadSize = size,
                Scale = ConfigParts.Scale(size),
                InputBias = bias,
                OutputBias = bias,
                Window = config.Has("sliding_window") ? config.Int("sliding_window") : null,
                Rotary = RotaryConfig.Read(config, context, 10000),
            },
            FeedForwardNorm = norm,
            FeedForward = new()
            {
                Plain = true,
                IntermediateSize = config.Int("intermediate_size"),
                Activation = ConfigParts.Activation(config, "hidden_act", "gelu_pytorch_tanh"),
                Bias = bias,
            },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, "num_hidden_layers"))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", true) },
        };
    }
}
