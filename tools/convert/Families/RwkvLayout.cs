using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What RWKV-4 to -6 share in the ports of the RWKV organisation: the names, the config, channel mixing with a receptance.</summary>
/// <param name="first">Name of what the present token counts more.</param>
/// <param name="mix">What names of amounts of mixing begin with.</param>
/// <param name="shorten">Such a name ends with the first letter of what it is for.</param>
internal abstract class RwkvLayout(string first, string mix, bool shorten) : RecurrentLayout
{
    private const string Block = "rwkv.blocks.#.";

    /// <inheritdoc/>
    public override string Prefix => "rwkv.";

    /// <inheritdoc/>
    protected override string HeadModule => "head";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "rwkv.embeddings",
        ["embedding_norm"] = "rwkv.blocks.0.pre_ln",
        ["attention_norm"] = Block + "ln1",
        ["time_mix.receptance"] = Block + "attention.receptance",
        ["time_mix.key"] = Block + "attention.key",
        ["time_mix.value"] = Block + "attention.value",
        ["time_mix.gate"] = Block + "attention.gate",
        ["time_mix.output_norm"] = Block + "attention.ln_x",
        ["time_mix.output"] = Block + "attention.output",
        ["feed_forward_norm"] = Block + "ln2",
        ["feed_forward.up"] = Block + "feed_forward.key",
        ["feed_forward.down"] = Block + "feed_forward.value",
        ["feed_forward.receptance"] = Block + "feed_forward.receptance",
        ["final_norm"] = "rwkv.ln_out",
    };

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Tensors { get; } = new Dictionary<string, string>
    {
        ["time_mix.decay"] = Block + "attention.time_decay",
        ["time_mix.first"] = Block + "attention." + first,
        ["time_mix.key_mix"] = Block + "attention." + mix + (shorten ? "k" : "key"),
        ["time_mix.value_mix"] = Block + "attention." + mix + (shorten ? "v" : "value"),
        ["time_mix.receptance_mix"] = Block + "attention." + mix + (shorten ? "r" : "receptance"),
        ["time_mix.gate_mix"] = Block + "attention." + mix + (shorten ? "g" : "gate"),
        ["feed_forward.mix"] = Block + "feed_forward." + mix + (shorten ? "k" : "key"),
        ["feed_forward.receptance_mix"] = Block + "feed_forward." + mix + (shorten ? "r" : "receptance"),
    };

    /// <inheritdoc/>
    /// <remarks>Amounts of mixing are the present token's share there and the previous one's here; decays are −e^time_decay.</remarks>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var stored = shelf.Take(SourceName(requirement.Name));
        if (requirement.Name.EndsWith("mix", StringComparison.Ordinal))
            return Changed(stored, requirement, x => 1 - x);
        if (requirement.Name.EndsWith(".decay", StringComparison.Ordinal))
            return Changed(stored, requirement, x => -MathF.Exp(x));
        return requirement.Name.EndsWith("time_mix.first", StringComparison.Ordinal) ? ByRows(stored) : new(stored);
    }

    /// <summary>The width of time mixing.</summary>
    protected static int Width(ConfigFile config) => config.Int("attention_hidden_size", config.Int("hidden_size"));

    /// <summary>
    /// The model. 'rescale_every' is left aside: halving the residual stream keeps 16-bit numbers in range, and here it has 32.
    /// </summary>
    /// <param name="config">The config.</param>
    /// <param name="intermediate">The feed-forward size that a config means which does not say.</param>
    /// <param name="mix">Its time mixing.</param>
    protected static ModelDescription Describe(ConfigFile config, int intermediate, TimeMixDescription mix)
    {
        var norm = ConfigParts.LayerNorm(config, "layer_norm_epsilon");
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = config.Int("hidden_size"),
            ContextLength = Math.Max(config.Length("context_length", 1024), LongContext),
            Embedding = new() { Norm = norm },
            Layers = [.. Enumerable.Repeat(
                new LayerDescription
                {
                    AttentionNorm = norm,
                    TimeMix = mix,
                    FeedForwardNorm = norm,
                    FeedForward = new()
                    {
                        Plain = true,
                        IntermediateSize = config.Int("intermediate_size", intermediate),
                        Activation = Activation.ReluSquared,
                        TokenShift = true,
                        Receptance = true,
                    },
                },
                ConfigParts.Layers(config, "num_hidden_layers"))],
            FinalNorm = FinalNorm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", false) },
        };
    }

    /// <summary>The ports make it without naming ε, whatever the config says of the others.</summary>
    private static NormDescription FinalNorm => ConfigParts.LayerNorm(1e-5);

    /// <summary>The norm of what heads give: the release divides by a number before a LayerNorm with ε = 1e-5.</summary>
    protected static NormDescription HeadNorm(ConfigFile config) => ConfigParts.LayerNorm(1e-5 * Math.Pow(config.Double("head_size_divisor", 8), 2));
}
