using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// ChatGLM2 and ChatGLM3, and GLM-4 in the same layout: causal like LLaMA, with grouped heads and biases on queries, keys and values; of each head
/// the first half turns, by neighbours (Zhipu AI 2024, arXiv 2406.12793; the releases' modeling_chatglm.py).
/// </summary>
internal sealed class ChatGlm2 : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["ChatGLMModel", "ChatGLMForConditionalGeneration"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("ChatGLM2 6B, ChatGLM3 6B (releases, 2023), GLM-4 9B (arXiv 2406.12793)", "SentencePiece BPE; byte-level BPE (GLM-4)");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // ChatGLM2's tokenization_chatglm.py. Base models of the later generations have the same files.
        new("chatglm-2", """
            {%- set ns = namespace(round=1) %}
            {%- for m in messages %}
            {%- if m.role == 'user' %}{{ '[Round ' ~ ns.round ~ ']\n\n问：' ~ m.content ~ '\n\n答：' }}
            {%- elif m.role == 'assistant' %}{{ m.content ~ '\n\n' }}{% set ns.round = ns.round + 1 %}{% endif %}
            {%- endfor %}
            """) { Roles = ChatRoles.UserAndAssistant },
        // ChatGLM3's release.
        new("chatglm-3", """
            {%- for m in messages %}{{ '<|' ~ m.role ~ '|>\n ' ~ m.content }}{% endfor %}
            {%- if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}
            """) { StopTokens = ["<|user|>", "<|observation|>"], Roles = ChatRoles.All },
    ];

    /// <summary>The first generation has the same name, and other members.</summary>
    public override bool Covers(ConfigFile config) => config.Has("ffn_hidden_size");

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override string HeadModule => "transformer.output_layer";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.embedding.word_embeddings",
        ["attention_norm"] = "transformer.encoder.layers.#.input_layernorm",
        ["attention.query"] = "transformer.encoder.layers.#.self_attention.query_key_value",
        ["attention.key"] = "transformer.encoder.layers.#.self_attention.query_key_value",
        ["attention.value"] = "transformer.encoder.layers.#.self_attention.query_key_value",
        ["attention.output"] = "transformer.encoder.layers.#.self_attention.dense",
        ["feed_forward_norm"] = "transformer.encoder.layers.#.post_attention_layernorm",
        ["feed_forward.gate"] = "transformer.encoder.layers.#.mlp.dense_h_to_4h",
        ["feed_forward.up"] = "transformer.encoder.layers.#.mlp.dense_h_to_4h",
        ["feed_forward.down"] = "transformer.encoder.layers.#.mlp.dense_4h_to_h",
        ["final_norm"] = "transformer.encoder.final_layernorm",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        if (!config.Bool("multi_query_attention", false))
            throw config.Error("'multi_query_attention' false is not supported");
        var size = config.Int("kv_channels", 128);
        var context = config.Length("seq_length", 2048);
        var bias = config.Bool("add_bias_linear", false);
        var epsilon = config.Double("layernorm_epsilon", 1e-5);
        var norm = config.Bool("rmsnorm", true) ? new() { Kind = NormKind.Rms, Epsilon = (float)epsilon } : ConfigParts.LayerNorm(epsilon);
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = config.Int("num_attention_heads"),
                KeyValueHeads = config.Int("multi_query_group_num", 1),
                HeadSize = size,
                Scale = ConfigParts.Scale(size),
                InputBias = bias || config.Bool("add_qkv_bias", false),
                OutputBias = bias,
                Rotary = Rotary(config) with { Size = size / 2 },
            },
            FeedForwardNorm = norm,
            FeedForward = new() { IntermediateSize = config.Int("ffn_hidden_size"), Activation = Activation.Silu, Bias = bias },
            NormedResidual = config.Bool("apply_residual_connection_post_layernorm", false),
        };
        return new()
        {
            VocabularySize = config.Int(config.Has("padded_vocab_size") ? "padded_vocab_size" : "vocab_size"),
            HiddenSize = config.Int("hidden_size"),
            ContextLength = context,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, "num_layers"))],
            FinalNorm = config.Bool("post_layer_norm", true) ? norm : null,
            Head = new() { Tied = config.Bool("tie_word_embeddings", false) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        FromPairs(Rows(requirement, model, shelf), requirement, model);

    /// <inheritdoc/>
    public override bool IsIgnored(string sourceName, ModelDescription model) => sourceName.EndsWith("rotary_pos_emb.inv_freq", StringComparison.Ordinal);

    // For long contexts the second generation divides positions by the ratio; the later ones multiply the base. Nothing but the name tells which.
    private static RotaryDescription Rotary(ConfigFile config)
    {
        const double Base = 10000;
        var ratio = config.Double("rope_ratio", 1);
        return ratio != 1 && (config.String("_name_or_path") ?? "").Contains("chatglm2", StringComparison.OrdinalIgnoreCase)
            ? new() { Theta = Base, Scaling = new() { Kind = RotaryScalingKind.Linear, Factor = ratio } }
            : new() { Theta = Base * ratio };
    }
}
