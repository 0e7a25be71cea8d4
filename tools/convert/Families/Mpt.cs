using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>MPT and replit-code: ALiBi, usually no bias anywhere (MosaicML 2023, release notes of MPT-7B and MPT-30B).</summary>
internal sealed class Mpt : ModuleFamily
{
    // What the authors' own code calls itself; the other name is of a port that leaves most options out.
    private const string Original = "MPTForCausalLM";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => [Original, "MptForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("MPT 7B and 30B (release, 2023)", "byte-level BPE");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // The code of MosaicML's demonstration of MPT-7B-Chat. Only chat models have tokens for it.
        ChatMl.With("mpt-chat", """
            - You are a helpful assistant chatbot trained by MosaicML.
            - You answer questions.
            - You are excited to be able to help the user, but will refuse to do anything that could be considered harmful to the user.
            - You are more than just an information source, you are also able to write poetry, short stories, and make jokes.
            """) with { IsCertain = evidence => evidence.HasToken(ChatMl.Start) && evidence.HasToken(ChatMl.End) },
        // MPT-7B-Instruct's model card, which has no empty lines.
        ChatTurns.Instruction("mpt-instruct", gap: "\n"),
    ];

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.wte",
        ["positions"] = "transformer.wpe",
        ["attention_norm"] = "transformer.blocks.#.norm_1",
        ["attention.query"] = "transformer.blocks.#.attn.Wqkv",
        ["attention.key"] = "transformer.blocks.#.attn.Wqkv",
        ["attention.value"] = "transformer.blocks.#.attn.Wqkv",
        ["attention.query_norm"] = "transformer.blocks.#.attn.q_ln",
        ["attention.key_norm"] = "transformer.blocks.#.attn.k_ln",
        ["attention.output"] = "transformer.blocks.#.attn.out_proj",
        ["feed_forward_norm"] = "transformer.blocks.#.norm_2",
        ["feed_forward.up"] = "transformer.blocks.#.ffn.up_proj",
        ["feed_forward.down"] = "transformer.blocks.#.ffn.down_proj",
        ["final_norm"] = "transformer.norm_f",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) =>
        config.Strings("architectures").Contains(Original) ? DescribeOriginal(config) : DescribePort(config);

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => FromFused(requirement, model, shelf, InSequence);

    /// <summary>The port computes with ALiBi up to 2^−8 and four times the hidden size, without a bias, whatever the config says.</summary>
    private static ModelDescription DescribePort(ConfigFile config)
    {
        var attention = config.Object("attn_config");
        var heads = config.Int(ConfigParts.Spelling(config, "n_heads", "num_attention_heads"));
        return Describe(config, attention, 4, new() { Kind = NormKind.Layer, Epsilon = (float)config.Double("layer_norm_epsilon", 1e-5) }, new()
        {
            QueryHeads = heads,
            KeyValueHeads = heads,
            HeadSize = ConfigParts.HeadSize(config, Hidden(config), heads),
            Scale = 1,
            AlibiSlopes = ConfigParts.AlibiSlopes(heads),
        });
    }

    private static ModelDescription DescribeOriginal(ConfigFile config)
    {
        var attention = config.Object("attn_config");
        if (attention is not null)
        {
            ConfigParts.RefuseTrue(attention, "prefix_lm", "rope", "qk_gn");
            if (attention.Int("sliding_window_size", -1) != -1)
                throw attention.Error("'attn_config.sliding_window_size' is not supported");
        }

        if (config.Object("ffn_config") is { } block && (block.String("ffn_type") is not (null or "mptmlp") || block.Has("ffn_act_fn")))
            throw config.Error("'ffn_config' with an 'ffn_type' other than mptmlp or an 'ffn_act_fn' is not supported");
        var heads = config.Int("n_heads");
        var bias = !config.Bool("no_bias", false);
        var norm = ReadNorm(config, bias);
        var isAlibi = attention?.Bool("alibi", false) ?? false;
        var model = Describe(config, attention, config.Double("expansion_ratio", 4), norm, new()
        {
            QueryHeads = heads,
            KeyValueHeads = (attention?.String("attn_type") ?? "multihead_attention") switch
            {
                "multihead_attention" => heads,
                "multiquery_attention" => 1,
                "grouped_query_attention" => attention!.Int("kv_n_heads"),
                var other => throw config.Error($"'attn_config.attn_type' {other} is not supported; supported are multihead_attention, multiquery_attention, grouped_query_attention"),
            },
            HeadSize = ConfigParts.HeadSize(config, Hidden(config), heads),
            Scale = 1,
            InputBias = bias,
            OutputBias = bias,
            QueryKeyNorm = attention?.Bool("qk_ln", false) == true ? new() { Norm = norm, AcrossHeads = true } : null,
            AlibiSlopes = isAlibi ? ConfigParts.AlibiSlopes(heads, attention?.Double("alibi_bias_max", 8) ?? 8) : null,
        });
        return model with
        {
            Embedding = !isAlibi && config.Bool("learned_pos_emb", true) ? new() { Positions = model.ContextLength } : null,
            Head = model.Head with { Scale = LogitScale(config) },
        };
    }

    /// <summary>What both have in common.</summary>
    private static ModelDescription Describe(ConfigFile config, ConfigFile? options, double expansion, NormDescription norm, AttentionDescription attention)
    {
        var hidden = Hidden(config);
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = attention with
            {
                Scale = options?.Has("softmax_scale") == true ? (float)options.Double("softmax_scale") : ConfigParts.Scale(attention.HeadSize),
                Clip = options?.Has("clip_qkv") == true ? (float)options.Double("clip_qkv") : null,
            },
            FeedForwardNorm = norm,
            FeedForward = new() { Plain = true, IntermediateSize = (int)(expansion * hidden), Activation = Activation.Gelu, Bias = attention.OutputBias },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = config.Length("max_seq_len", 2048),
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, ConfigParts.Spelling(config, "n_layers", "num_hidden_layers")))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", true) },
        };
    }

    private static int Hidden(ConfigFile config) => config.Int(ConfigParts.Spelling(config, "d_model", "hidden_size"));

    private static NormDescription ReadNorm(ConfigFile config, bool bias)
    {
        var epsilon = (float)config.Double("norm_eps", 1e-5);
        return (config.String("norm_type") ?? "low_precision_layernorm") switch
        {
            "layernorm" or "low_precision_layernorm" => new() { Kind = NormKind.Layer, Epsilon = epsilon, Bias = bias },
            "rmsnorm" or "low_precision_rmsnorm" => new() { Kind = NormKind.Rms, Epsilon = epsilon },
            var other => throw config.Error($"'norm_type' {other} is not supported; supported are layernorm, low_precision_layernorm, rmsnorm, low_precision_rmsnorm"),
        };
    }

    private static float? LogitScale(ConfigFile config) => config.Json("logit_scale") switch
    {
        null => null,
        { ValueKind: System.Text.Json.JsonValueKind.Number } => (float)config.Double("logit_scale"),
        _ when config.String("logit_scale") == "inv_sqrt_d_model" => ConfigParts.Scale(Hidden(config)),
        _ => throw config.Error($"'logit_scale' {config.String("logit_scale")} is not supported; supported are numbers and inv_sqrt_d_model"),
    };
}
