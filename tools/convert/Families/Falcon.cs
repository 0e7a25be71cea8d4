using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Falcon: RW with ALiBi and serial branches, 7B with one key/value head and branches that share a norm, 40B and 180B with groups and a
/// norm for each branch (Almazrouei et al. 2023, arXiv 2311.16867).
/// </summary>
internal sealed class Falcon : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["FalconForCausalLM", "RWForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Falcon RW (arXiv 2306.01116), Falcon 7B, 40B and 180B (arXiv 2311.16867)", "byte-level BPE");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // Falcon-180B-Chat's model card.
        ChatTurns.Colon("falcon", "User", "Falcon", "\n", systemName: "System: ", systemEnd: "\n") with { StopStrings = ["\nUser:"] },
        // FastChat's format of the smaller instruct models.
        ChatTurns.Colon("falcon-instruct", "User", "Assistant", "\n\n", systemEnd: "\n\n") with { StopStrings = ["\nUser"] },
    ];

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.word_embeddings",
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
        ConfigParts.RefuseTrue(config, "apply_residual_connection_post_layernorm");
        var hidden = config.Int(ConfigParts.Spelling(config, "hidden_size", "n_embed"));
        var heads = config.Int(ConfigParts.Spelling(config, "num_attention_heads", "n_head"));
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var context = config.Length("max_position_embeddings", 2048);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_epsilon");
        var bias = config.Bool("bias", false);
        var isParallel = config.Bool("parallel_attn", true);
        // Before the family had its own name, 40B's config told itself apart by its model type alone.
        var isGrouped = config.Bool("new_decoder_architecture", config.String("model_type") == "RefinedWeb");
        if (isGrouped && !isParallel)
            throw config.Error("'new_decoder_architecture' without 'parallel_attn' is not supported");
        var norms = config.Int("num_ln_in_parallel_attn", isGrouped ? 2 : 1);
        if (isParallel && norms != 1 && !(norms == 2 && isGrouped))
            throw config.Error($"'num_ln_in_parallel_attn' {norms} is not supported; supported are 1, and with 'new_decoder_architecture' 2");
        var isAlibi = config.Bool("alibi", false);
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = isGrouped ? config.Int(ConfigParts.Spelling(config, "num_kv_heads", "n_head_kv"), heads) : config.Bool("multi_query", true) ? 1 : heads,
                HeadSize = size,
                Scale = ConfigParts.Scale(size),
                InputBias = bias,
                OutputBias = bias,
                Rotary = isAlibi ? null : RotaryConfig.Read(config, context, 10000),
                AlibiSlopes = isAlibi ? Slopes(heads, size) : null,
            },
            Parallel = isParallel,
            FeedForwardNorm = isParallel && norms == 1 ? null : norm,
            FeedForward = new()
            {
                Plain = true,
                IntermediateSize = config.Int("ffn_hidden_size", 4 * hidden),
                Activation = ConfigParts.Activation(config, "activation", "gelu"),
                Bias = bias,
            },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, ConfigParts.Spelling(config, "num_hidden_layers", "n_layer")))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", true) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        // With a norm for each parallel branch, both have names of their own.
        var isLayer = requirement.Name.StartsWith("layers.", StringComparison.Ordinal);
        if (isLayer && PartOf(requirement.Name) < 0 && model.Layers[LayerOf(requirement.Name)] is { Parallel: true, FeedForwardNorm: not null })
        {
            return new(shelf.Take(SourceName(requirement.Name)
                .Replace("input_layernorm", "ln_attn", StringComparison.Ordinal).Replace("post_attention_layernorm", "ln_mlp", StringComparison.Ordinal)));
        }

        return FromFused(requirement, model, shelf, InGroups);
    }

    /// <summary>
    /// Slopes in bf16, added before scores are scaled: so the models were trained, and so the reference computes by default. Only its 'eager'
    /// attention adds them a second time, in its mask.
    /// </summary>
    private static IReadOnlyList<float> Slopes(int heads, int headSize) => [.. ConfigParts.AlibiSlopes(heads).Select(slope =>
    {
        var bits = BitConverter.SingleToUInt32Bits(slope);
        var rounded = BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
        return rounded * ConfigParts.Scale(headSize);
    })];
}
