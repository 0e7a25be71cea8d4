using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Qwen as first released: LLaMA's blocks under GPT-2's names, with biases on queries, keys and values (Bai et al. 2023, arXiv 2309.16609).
/// Beyond the context that it was trained for its rotary base and its scores grow.
/// </summary>
internal sealed class Qwen : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["QWenLMHeadModel"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Qwen (arXiv 2309.16609)", "byte-level BPE (qwen.tiktoken)");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // The release's qwen_generation_utils.py. generation_config.json of chat models names the format, that of base models says 'raw'.
        ChatMl.With("qwen", "You are a helpful assistant.") with { IsCertain = evidence => evidence.Generation?.String("chat_format") == "chatml" },
    ];

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.wte",
        ["attention_norm"] = "transformer.h.#.ln_1",
        ["attention.query"] = "transformer.h.#.attn.c_attn",
        ["attention.key"] = "transformer.h.#.attn.c_attn",
        ["attention.value"] = "transformer.h.#.attn.c_attn",
        ["attention.output"] = "transformer.h.#.attn.c_proj",
        ["feed_forward_norm"] = "transformer.h.#.ln_2",
        ["feed_forward.gate"] = "transformer.h.#.mlp.w2",
        ["feed_forward.up"] = "transformer.h.#.mlp.w1",
        ["feed_forward.down"] = "transformer.h.#.mlp.c_proj",
        ["final_norm"] = "transformer.ln_f",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        ConfigParts.RefuseTrue(config, "apply_residual_connection_post_layernorm");
        string Name(string newer, string older) => ConfigParts.Spelling(config, newer, older);
        var heads = config.Int(Name("num_attention_heads", "n_head"));
        var inner = Name("intermediate_size", "ffn_hidden_size");
        if (config.Int(inner) is var both && both % 2 != 0)
            throw config.Error($"'{inner}' is {both}, which cannot be halved for gate and up");
        var size = config.Int("kv_channels", 128);
        var turned = (int)(size * config.Double("rotary_pct", 1));
        var bias = !config.Bool("no_bias", true);
        var trained = config.Length("seq_length", config.Length("max_position_embeddings", 8192));
        var isDynamic = config.Bool("use_dynamic_ntk", true);
        var norm = new NormDescription { Kind = NormKind.Rms, Epsilon = (float)config.Double("layer_norm_epsilon", 1e-6) };
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = heads,
                HeadSize = size,
                Scale = config.Bool("scale_attn_weights", true) ? ConfigParts.Scale(size) : 1,
                InputBias = true,
                OutputBias = bias,
                LogScaleFrom = config.Bool("use_logn_attn", true) ? trained : null,
                Rotary = new()
                {
                    Theta = config.Double("rotary_emb_base", 10000),
                    Size = turned == size ? null : turned,
                    Scaling = isDynamic ? new() { Kind = RotaryScalingKind.DynamicSteps, Factor = 1, OriginalContextLength = trained } : null,
                },
            },
            FeedForwardNorm = norm,
            FeedForward = new()
            {
                // The config counts gate and up together.
                IntermediateSize = both / 2,
                Activation = Activation.Silu,
                Bias = bias,
            },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = config.Int(Name("hidden_size", "n_embd")),
            ContextLength = isDynamic ? Math.Max(trained, config.Length(Name("max_position_embeddings", "n_positions"), trained)) : trained,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, Name("num_hidden_layers", "n_layer")))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", false) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => new(Rows(requirement, model, shelf));
}
