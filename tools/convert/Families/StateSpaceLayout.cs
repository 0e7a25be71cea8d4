using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What Mamba's generations share: one state space a layer and nothing else, with projections in one matrix.</summary>
internal abstract class StateSpaceLayout : RecurrentLayout
{
    /// <summary>What the names of a layer's state space begin with.</summary>
    protected const string Mixer = "backbone.layers.#.mixer.";

    /// <inheritdoc/>
    public override string Prefix => "backbone.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "backbone.embeddings",
        ["attention_norm"] = "backbone.layers.#.norm",
        ["state_space.input"] = Mixer + "in_proj",
        ["state_space.gate"] = Mixer + "in_proj",
        ["state_space.input_convolution"] = Mixer + "conv1d",
        ["state_space.output"] = Mixer + "out_proj",
        ["final_norm"] = "backbone.norm_f",
    };

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Tensors { get; } = new Dictionary<string, string>
    {
        ["state_space.decay"] = Mixer + "A_log",
        ["state_space.skip"] = Mixer + "D",
    };

    /// <summary>The model.</summary>
    /// <param name="config">The config.</param>
    /// <param name="space">Its state space, but for what both generations say alike.</param>
    /// <param name="isTied">The head is the embedding if the config does not say.</param>
    protected static ModelDescription Describe(ConfigFile config, StateSpaceDescription space, bool isTied)
    {
        if (config.String("hidden_act") is not (null or "silu" or "swish"))
            throw config.Error($"'hidden_act' {config.String("hidden_act")} is not supported; supported is silu");
        var norm = new NormDescription { Kind = NormKind.Rms, Epsilon = (float)config.Double("layer_norm_epsilon", 1e-5) };
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            StateSpace = space with { ConvolutionBias = config.Bool("use_conv_bias", true), Bias = config.Bool("use_bias", false) },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = config.Int("hidden_size"),
            ContextLength = LongContext,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, "num_hidden_layers"))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", isTied) },
        };
    }

    /// <summary>I.</summary>
    protected static int Width(ConfigFile config) => (int)(config.Double("expand", 2) * config.Int("hidden_size"));

    /// <summary>Some channels of a convolution [channels, 1, taps], or of its bias: taps outermost.</summary>
    protected static TensorSource Convolution(StoredTensor stored, int first, int count)
    {
        var own = stored.Narrow(0, first, count);
        return new(own.Shape.Count == 3 ? own.Transpose(0, 2) : own);
    }
}
