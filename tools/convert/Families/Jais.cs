using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Jais and, before it, BTLM: GPT-2 with ALiBi, a gated feed-forward block and the factors that hyperparameters of a smaller model ask for (Sengupta et al. 2023, arXiv 2308.16149;
/// Dey et al. 2023, arXiv 2309.11568).
/// </summary>
internal sealed class Jais : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["JAISLMHeadModel", "BTLMLMHeadModel"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Jais 13B and 30B (arXiv 2308.16149), Jais family 590M to 30B (release, 2024), BTLM 3B (arXiv 2309.11568)", "byte-level BPE");

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>(Gpt2.Names)
    {
        ["feed_forward.gate"] = "transformer.h.#.mlp.c_fc2",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        ConfigParts.RefuseTrue(config, "add_cross_attention", "scale_attn_by_inverse_layer_idx");
        if (config.String("position_embedding_type") is not (null or "alibi"))
            throw config.Error($"'position_embedding_type' {config.String("position_embedding_type")} is not supported; supported is alibi");
        var hidden = config.Int(ConfigParts.Spelling(config, "n_embd", "hidden_size"));
        var heads = config.Int(ConfigParts.Spelling(config, "n_head", "num_attention_heads"));
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_epsilon");
        var scaling = config.Object("alibi_scaling");
        var activation = config.String("activation_function") ?? "swiglu";
        var context = config.Length(ConfigParts.Spelling(config, "n_positions", "max_position_embeddings"), 1024);
        var isInverse = config.Bool(ConfigParts.Spelling(config, "mup_scale_qk_dot_by_d", "scale_qk_dot_by_d"), false);
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = heads,
                HeadSize = size,
                Scale = !config.Bool("scale_attn_weights", true) ? 1 : isInverse ? 1f / size : ConfigParts.Scale(size),
                InputBias = true,
                OutputBias = true,
                AlibiSlopes = [.. ConfigParts.AlibiSlopes(heads).Select(slope => (float)(slope / (scaling?.Double("factor", 1) ?? 1)))],
            },
            FeedForwardNorm = norm,
            FeedForward = new()
            {
                Plain = activation != "swiglu",
                IntermediateSize = config.Int("n_inner", 4 * hidden),
                Activation = activation == "swiglu" ? Activation.Silu : ConfigParts.Activation(config, "activation_function", activation),
                Bias = true,
            },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            // Slopes that shrink with the text do not before this length.
            ContextLength = scaling is not null && scaling.Has("train_seq_len") ? Math.Min(context, scaling.Int("train_seq_len")) : context,
            Embedding = new() { Scale = (float)config.Double(ConfigParts.Spelling(config, "mup_embeddings_scale", "embeddings_scale"), 1) },
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, ConfigParts.Spelling(config, "n_layer", "num_hidden_layers")))],
            FinalNorm = norm,
            Head = new()
            {
                Tied = config.Bool("tie_word_embeddings", true),
                Scale = (float)(config.Has("width_scale") ? config.Double("width_scale") : config.Double("mup_output_alpha", 1) * config.Double("mup_width_scale", 1)),
            },
        };
    }

    /// <inheritdoc/>
    public override bool IsIgnored(string sourceName, ModelDescription model) => sourceName.EndsWith("relative_pe.slopes", StringComparison.Ordinal) || base.IsIgnored(sourceName, model);

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => FromColumns(requirement, model, shelf, InSequence);
}
