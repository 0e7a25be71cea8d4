using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>OpenELM: layers that are wider the later they come, queries, keys and values in one matrix, gate and up in another (Mehta et al. 2024, arXiv 2404.14619).</summary>
internal sealed class OpenElm : ModuleFamily
{
    private const string Layer = "transformer.layers.#.";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["OpenELMForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("OpenELM 270M to 3B (arXiv 2404.14619)", "SentencePiece BPE (LLaMA's, which the release does not hold)");

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.token_embeddings",
        ["attention_norm"] = Layer + "attn_norm",
        ["attention.query"] = Layer + "attn.qkv_proj",
        ["attention.key"] = Layer + "attn.qkv_proj",
        ["attention.value"] = Layer + "attn.qkv_proj",
        ["attention.query_norm"] = Layer + "attn.q_norm",
        ["attention.key_norm"] = Layer + "attn.k_norm",
        ["attention.output"] = Layer + "attn.out_proj",
        ["feed_forward_norm"] = Layer + "ffn_norm",
        ["feed_forward.gate"] = Layer + "ffn.proj_1",
        ["feed_forward.up"] = Layer + "ffn.proj_1",
        ["feed_forward.down"] = Layer + "ffn.proj_2",
        ["final_norm"] = "transformer.norm",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        if (config.String("normalization_layer_name") is not (null or "rms_norm"))
            throw config.Error($"'normalization_layer_name' {config.String("normalization_layer_name")} is not supported; supported is rms_norm");
        if (!config.Bool("ffn_with_glu", true))
            throw config.Error("'ffn_with_glu' false is not supported");
        var layers = ConfigParts.Layers(config, "num_transformer_layers");
        IReadOnlyList<T> OfLayers<T>(Func<string, IReadOnlyList<T>> read, string name) => ConfigParts.OfLayers(config, name, read(name), layers);
        var (queries, keys, widths) = (OfLayers(config.Ints, "num_query_heads"), OfLayers(config.Ints, "num_kv_heads"), OfLayers(config.Doubles, "ffn_multipliers"));
        var (hidden, size) = (config.Int("model_dim"), config.Int("head_dim", 128));
        // The epsilon is the implementation's; no config has it.
        var norm = new NormDescription { Kind = NormKind.Rms, Epsilon = 1e-6f };
        var attention = new AttentionDescription
        {
            QueryHeads = 1,
            KeyValueHeads = 1,
            HeadSize = size,
            Scale = ConfigParts.Scale(size),
            QueryKeyNorm = config.Bool("normalize_qk_projections", true) ? new() { Norm = norm } : null,
            Rotary = new() { Theta = config.Double("rope_freq_constant", 10000) },
        };
        var activation = ConfigParts.Activation(config, "activation_fn_name", "swish");
        return new()
        {
            VocabularySize = config.Int("vocab_size", 32000),
            HiddenSize = hidden,
            ContextLength = config.Length("max_context_length", 2048),
            Layers = [.. Enumerable.Range(0, layers).Select(i => new LayerDescription
            {
                AttentionNorm = norm,
                Attention = attention with { QueryHeads = queries[i], KeyValueHeads = keys[i] },
                FeedForwardNorm = norm,
                FeedForward = new() { IntermediateSize = Divisible(widths[i] * hidden, ConfigParts.Positive(config, "ffn_dim_divisor", 256)), Activation = activation },
            })],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("share_input_output_layers", true) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        TensorSource.Repeated(Rows(requirement, model, shelf), HeadsOf(requirement.Name, model));

    /// <summary>The multiple of a number that is nearest to a width, but not below nine tenths of it (make_divisible of the release).</summary>
    private static int Divisible(double width, int divisor)
    {
        var nearest = Math.Max(divisor, (int)(width + (divisor / 2.0)) / divisor * divisor);
        return nearest < 0.9 * width ? nearest + divisor : nearest;
    }
}
