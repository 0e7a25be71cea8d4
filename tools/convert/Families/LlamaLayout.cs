using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What the families of the LLaMA lineage share: the tensor names, and most of the config.</summary>
/// <param name="others">Modules that have another name than LLaMA's.</param>
internal abstract class LlamaLayout(params IEnumerable<(string Packed, string Source)> others) : ModuleFamily
{
    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = Join(others);

    /// <summary>Values of config members that a family's own defaults decide.</summary>
    /// <param name="ContextLength">max_position_embeddings.</param>
    /// <param name="KeyValueHeads">num_key_value_heads; null for as many as query heads.</param>
    /// <param name="RotaryBase">rope_theta.</param>
    protected sealed record Defaults(int ContextLength, int? KeyValueHeads, double RotaryBase = 10000)
    {
        /// <summary>num_attention_heads; null where it must be there.</summary>
        public int? QueryHeads { get; init; }

        /// <summary>vocab_size; null where it must be there.</summary>
        public int? Vocabulary { get; init; }

        /// <summary>head_dim; null for the hidden size shared evenly.</summary>
        public int? HeadSize { get; init; }

        /// <summary>partial_rotary_factor; null where the family turns whole heads only.</summary>
        public double? TurnedPart { get; init; }

        /// <summary>The rotary embedding; null to read it as most families have it.</summary>
        public RotaryDescription? Rotary { get; init; }

        /// <summary>rms_norm_eps.</summary>
        public double Epsilon { get; init; } = 1e-6;

        /// <summary>The family's norm where it is not RMSNorm.</summary>
        public NormDescription? Norm { get; init; }

        /// <summary>hidden_act.</summary>
        public string Activation { get; init; } = "silu";

        /// <summary>tie_word_embeddings.</summary>
        public bool Tied { get; init; }
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => new(Rows(requirement, model, shelf));

    /// <summary>Describes a model whose layers are all alike.</summary>
    protected static ModelDescription Describe(ConfigFile config, Defaults defaults, bool inputBias, bool outputBias, Func<int, int?> window)
    {
        var heads = ConfigParts.Heads(config, config.Int("num_attention_heads", defaults.QueryHeads));
        var hidden = config.Int("hidden_size");
        var headSize = config.Has("head_dim") || defaults.HeadSize is not null
            ? config.Int("head_dim", defaults.HeadSize)
            : ConfigParts.HeadSize(config, hidden, heads);
        var layers = ConfigParts.Layers(config, ConfigParts.Spelling(config, "num_hidden_layers", "num_layers"));
        var context = config.Length("max_position_embeddings", defaults.ContextLength);
        var norm = defaults.Norm ?? new() { Kind = NormKind.Rms, Epsilon = (float)Epsilon(config, defaults.Epsilon) };
        var rotary = defaults.Rotary ?? RotaryConfig.Read(config, context, defaults.RotaryBase);
        var attention = new AttentionDescription
        {
            QueryHeads = heads,
            KeyValueHeads = config.Int("num_key_value_heads", defaults.KeyValueHeads ?? heads),
            HeadSize = headSize,
            Scale = ConfigParts.Scale(headSize),
            InputBias = inputBias,
            OutputBias = outputBias,
            Rotary = rotary with { Size = RotaryConfig.TurnedSize(config, headSize, defaults.TurnedPart) },
        };
        var feedForward = new FeedForwardDescription
        {
            IntermediateSize = config.Int("intermediate_size"),
            Activation = ConfigParts.Activation(config, ConfigParts.Spelling(config, "hidden_act", "activation_function"), defaults.Activation),
            Bias = config.Bool("mlp_bias", false),
        };
        return new ModelDescription
        {
            VocabularySize = config.Int("vocab_size", defaults.Vocabulary),
            HiddenSize = hidden,
            // The factor says how far the base is meant to grow.
            ContextLength = rotary.Scaling is { Kind: RotaryScalingKind.Dynamic } scaling
                ? (int)Math.Clamp(scaling.Factor * scaling.OriginalContextLength, context, int.MaxValue)
                : context,
            Layers = [.. Enumerable.Range(0, layers).Select(i => new LayerDescription
            {
                AttentionNorm = norm,
                Attention = attention with { Window = window(i) },
                FeedForwardNorm = norm,
                FeedForward = feedForward,
            })],
            FinalNorm = norm,
            Head = new HeadDescription { Tied = config.Bool("tie_word_embeddings", defaults.Tied) },
        };
    }

    /// <summary>
    /// Describes a model with factors: m on what branches add, others on embeddings and logits. With x / m in place of x no branch needs its factor: norms, which alone read x, give the
    /// same with ε / m².
    /// </summary>
    /// <param name="config">The config.</param>
    /// <param name="defaults">What is missing.</param>
    /// <param name="bias">Attention's projections have one.</param>
    /// <param name="branches">m.</param>
    /// <param name="embedding">Factor on embeddings.</param>
    /// <param name="logits">Factor on logits.</param>
    protected static ModelDescription DescribeScaled(ConfigFile config, Defaults defaults, bool bias, double branches, double embedding, double logits)
    {
        var norm = new NormDescription { Kind = NormKind.Rms, Epsilon = (float)(Epsilon(config, defaults.Epsilon) / (branches * branches)) };
        var model = Describe(config, defaults with { Norm = norm }, bias, bias, _ => null);
        return model with { Embedding = new() { Scale = (float)(embedding / branches) }, Head = model.Head with { Scale = (float)logits } };
    }

    /// <summary>The model with every layer changed.</summary>
    protected static ModelDescription WithLayers(ModelDescription model, Func<LayerDescription, int, LayerDescription> change) =>
        model with { Layers = [.. model.Layers.Select(change)] };

    /// <summary>The norms before branches stand after them, and there are norms of all queries and keys.</summary>
    protected static ModelDescription WithOutputNorms(ModelDescription model) => WithLayers(model, (layer, _) => layer with
    {
        AttentionNorm = null,
        Attention = layer.Attention! with { QueryKeyNorm = new() { Norm = layer.AttentionNorm!, AcrossHeads = true } },
        AttentionOutputNorm = layer.AttentionNorm,
        FeedForwardNorm = null,
        FeedForwardOutputNorm = layer.FeedForwardNorm,
    });

    private static double Epsilon(ConfigFile config, double whenMissing) => config.Double(ConfigParts.Spelling(config, "rms_norm_eps", "layer_norm_epsilon"), whenMissing);

    private static Dictionary<string, string> Join(IEnumerable<(string Packed, string Source)> others)
    {
        var modules = new Dictionary<string, string>
        {
            ["embedding"] = "model.embed_tokens",
            ["attention_norm"] = "model.layers.#.input_layernorm",
            ["attention.query"] = "model.layers.#.self_attn.q_proj",
            ["attention.key"] = "model.layers.#.self_attn.k_proj",
            ["attention.value"] = "model.layers.#.self_attn.v_proj",
            ["attention.query_norm"] = "model.layers.#.self_attn.q_norm",
            ["attention.key_norm"] = "model.layers.#.self_attn.k_norm",
            ["attention.output"] = "model.layers.#.self_attn.o_proj",
            ["feed_forward_norm"] = "model.layers.#.post_attention_layernorm",
            ["feed_forward.gate"] = "model.layers.#.mlp.gate_proj",
            ["feed_forward.up"] = "model.layers.#.mlp.up_proj",
            ["feed_forward.down"] = "model.layers.#.mlp.down_proj",
            ["final_norm"] = "model.norm",
        };
        foreach (var (packed, source) in others)
            modules[packed] = source;
        return modules;
    }
}
