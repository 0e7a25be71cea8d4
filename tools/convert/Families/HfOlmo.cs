using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// OLMo as first released, for the authors' own code: queries, keys and values are one matrix, and so are up and gate, in this order (Groeneveld et al. 2024,
/// arXiv 2402.00838; olmo/model.py).
/// </summary>
internal sealed class HfOlmo : ModuleFamily
{
    private const string Block = "model.transformer.blocks.#.";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["OLMoForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("OLMo as first released (arXiv 2402.00838), OLMo 7B-0424 (release, 2024)", "byte-level BPE");

    /// <summary>A config that names only its model type may be of the layout that came after, which has other names for its sizes.</summary>
    public override bool Covers(ConfigFile config) => config.Has("d_model");

    /// <inheritdoc/>
    protected override string HeadModule => "model.transformer.ff_out";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "model.transformer.wte",
        ["embedding_norm"] = "model.transformer.emb_norm",
        ["positions"] = "model.transformer.wpe",
        ["attention_norm"] = Block + "attn_norm",
        ["attention.query"] = Block + "att_proj",
        ["attention.key"] = Block + "att_proj",
        ["attention.value"] = Block + "att_proj",
        ["attention.query_norm"] = Block + "q_norm",
        ["attention.key_norm"] = Block + "k_norm",
        ["attention.output"] = Block + "attn_out",
        ["attention_output_norm"] = Block + "attn_norm",
        ["feed_forward_norm"] = Block + "ff_norm",
        ["feed_forward.up"] = Block + "ff_proj",
        ["feed_forward.gate"] = Block + "ff_proj",
        ["feed_forward.down"] = Block + "ff_out",
        ["feed_forward_output_norm"] = Block + "ff_norm",
        ["final_norm"] = "model.transformer.ln_f",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        if (config.String("block_type") is not (null or "sequential"))
            throw config.Error($"'block_type' {config.String("block_type")} is not supported; supported is sequential");
        if (config.Int("block_group_size", 1) != 1)
            throw config.Error("'block_group_size' other than 1 is not supported");
        var hidden = config.Int("d_model");
        var context = config.Length("max_sequence_length", 1024);
        var norm = Norm(config, "layer_norm_with_affine");
        var isAfter = config.Bool("norm_after", false);
        var layer = new LayerDescription
        {
            AttentionNorm = isAfter ? null : norm,
            Attention = Attention(config, hidden),
            AttentionOutputNorm = isAfter ? norm : null,
            FeedForwardNorm = isAfter ? null : norm,
            FeedForward = FeedForward(config, hidden),
            FeedForwardOutputNorm = isAfter ? norm : null,
        };
        var isTied = config.Bool("weight_tying", true);
        return new()
        {
            VocabularySize = config.IsNull("embedding_size") ? config.Int("vocab_size") : config.Int("embedding_size", 50304),
            HiddenSize = hidden,
            ContextLength = context,
            Embedding = Embedding(config, norm, context),
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, "n_layers"))],
            FinalNorm = norm,
            Head = new() { Tied = isTied, Bias = !isTied && HasBias(config), Scale = config.Bool("scale_logits", false) ? ConfigParts.Scale(hidden) : null },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var module = ModuleOf(requirement.Name);
        if (module is not ("feed_forward.up" or "feed_forward.gate") || model.Layers[LayerOf(requirement.Name)].FeedForward!.Plain)
            return FromFused(requirement, model, shelf, InSequence);
        var rows = requirement.Shape[0];
        return new(OfRows(shelf.Take(SourceName(requirement.Name)), 2 * rows).Narrow(0, module == "feed_forward.up" ? 0 : rows, rows));
    }

    private static AttentionDescription Attention(ConfigFile config, int hidden)
    {
        var heads = config.Int("n_heads");
        var size = ConfigParts.HeadSize(config, hidden, heads);
        return new()
        {
            QueryHeads = heads,
            KeyValueHeads = config.Int("n_kv_heads", config.Bool("multi_query_attention", false) ? 1 : heads),
            HeadSize = size,
            Scale = ConfigParts.Scale(size),
            InputBias = HasBias(config),
            OutputBias = HasBias(config),
            Clip = ConfigParts.Optional(config, "clip_qkv"),
            QueryKeyNorm = config.Bool("attention_layer_norm", false) ? new() { Norm = Norm(config, "attention_layer_norm_with_affine"), AcrossHeads = true } : null,
            Rotary = config.Bool("rope", false) ? new() { Theta = config.Double("rope_theta", 10000) } : null,
            AlibiSlopes = config.Bool("alibi", false) ? Slopes(heads, config.Double("alibi_bias_max", 8)) : null,
        };
    }

    private static FeedForwardDescription FeedForward(ConfigFile config, int hidden)
    {
        var width = config.Int("mlp_hidden_size", config.Int("mlp_ratio", 4) * hidden);
        var activation = config.String("activation_type") ?? "swiglu";
        var isGated = activation == "swiglu";
        return new()
        {
            Plain = !isGated,
            // The config counts up and gate together.
            IntermediateSize = isGated ? width / 2 : width,
            Activation = isGated ? Activation.Silu : ConfigParts.Activation(config, "activation_type", activation),
            Bias = HasBias(config),
        };
    }

    private static EmbeddingDescription? Embedding(ConfigFile config, NormDescription norm, int context)
    {
        var isNormed = config.Bool("embedding_layer_norm", false);
        if (config.Bool("rope", false) || config.Bool("alibi", false))
            return isNormed ? new() { Norm = norm } : null;
        return isNormed ? throw config.Error("'embedding_layer_norm' with a table of positions is not supported") : new() { Positions = context };
    }

    /// <summary>A norm by what the config says of all of them.</summary>
    /// <param name="config">The config.</param>
    /// <param name="affine">The member that says whether norms of this kind have a weight.</param>
    private static NormDescription Norm(ConfigFile config, string affine)
    {
        var kind = config.String("layer_norm_type") switch
        {
            null or "default" or "low_precision" => NormKind.Layer,
            "rms" => NormKind.Rms,
            var other => throw config.Error($"'layer_norm_type' {other} is not supported; supported are default, low_precision, rms"),
        };
        var hasWeight = config.Bool(affine, true);
        var hasBias = hasWeight && config.Bool("bias_for_layer_norm", HasBias(config));
        if (kind == NormKind.Rms && hasBias)
            throw config.Error("'layer_norm_type' rms with a bias is not supported");
        return new() { Kind = kind, Epsilon = (float)config.Double("layer_norm_eps", 1e-5), Bias = hasBias, Weightless = !hasWeight };
    }

    private static bool HasBias(ConfigFile config) => config.Bool("include_bias", true);

    /// <summary>2^(−max·h/H), for numbers of heads between powers of two as well.</summary>
    private static IReadOnlyList<float> Slopes(int heads, double max) => [.. Enumerable.Range(1, heads).Select(head => (float)Math.Pow(2, -max * head / heads))];
}
