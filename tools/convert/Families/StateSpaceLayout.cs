using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What Mamba's generations share: one state space a layer and nothing else, with projections in one matrix.</summary>
internal abstract class StateSpaceLayout : RecurrentLayout
{
    /// <summary>What the names of a layer's state space begin with.</summary>
    protected const string Mixer = "backbone.layers.#.mixer.";

    /// <summary>The release's configs have an object for the state space and other names, and no architecture.</summary>
    private const string Space = "ssm_cfg";

    /// <summary>What the release calls the state space of this generation, which is the one of a config that does not say.</summary>
    protected virtual string? Layer => null;

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

    /// <inheritdoc/>
    public override bool Owns(ConfigFile config) => Layer is not null && IsRelease(config) && (config.Object(Space)?.String("layer") ?? "Mamba1") == Layer;

    /// <summary>Whether a config is spelled as in the release's code (state-spaces/mamba).</summary>
    protected static bool IsRelease(ConfigFile config) => config.Has("d_model") && config.Has("n_layer");

    /// <summary>The object that holds the sizes of the state space.</summary>
    protected static ConfigFile SpaceOf(ConfigFile config) => config.Object(Space) ?? config;

    /// <summary>A size of the state space, by its name in transformers' configs or the release's.</summary>
    protected static int Size(ConfigFile config, string name, string released, int whenMissing) => SpaceOf(config) is var space ? space.Int(ConfigParts.Spelling(space, name, released), whenMissing) : 0;

    /// <summary>C.</summary>
    protected static int Hidden(ConfigFile config) => config.Int(ConfigParts.Spelling(config, "hidden_size", "d_model"));

    /// <summary>The model.</summary>
    /// <param name="config">The config.</param>
    /// <param name="description">Its state space, but for what both generations say alike.</param>
    /// <param name="isTied">The head is the embedding if the config does not say.</param>
    protected static ModelDescription Describe(ConfigFile config, StateSpaceDescription description, bool isTied)
    {
        if (config.String("hidden_act") is not (null or "silu" or "swish"))
            throw config.Error($"'hidden_act' {config.String("hidden_act")} is not supported; supported is silu");
        var space = SpaceOf(config);
        if (IsRelease(config))
            CheckRelease(config, space);
        var norm = new NormDescription { Kind = NormKind.Rms, Epsilon = (float)config.Double("layer_norm_epsilon", 1e-5) };
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            StateSpace = description with
            {
                ConvolutionBias = space.Bool(ConfigParts.Spelling(space, "use_conv_bias", "conv_bias"), true),
                Bias = space.Bool(ConfigParts.Spelling(space, "use_bias", "bias"), false),
            },
        };
        return new()
        {
            VocabularySize = Vocabulary(config),
            HiddenSize = Hidden(config),
            ContextLength = LongContext,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, ConfigParts.Spelling(config, "num_hidden_layers", "n_layer")))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool(ConfigParts.Spelling(config, "tie_word_embeddings", "tie_embeddings"), isTied || IsRelease(config)) },
        };
    }

    /// <summary>I.</summary>
    protected static int Width(ConfigFile config) => (int)(SpaceOf(config).Double("expand", 2) * Hidden(config));

    /// <summary>A tensor of the checkpoint; the release has another name for the embedding.</summary>
    protected StoredTensor Take(TensorRequirement requirement, TensorShelf shelf) =>
        (requirement.Name == TensorSchema.Embedding ? shelf.TryTake("backbone.embedding.weight") : null) ?? shelf.Take(SourceName(requirement.Name));

    /// <summary>Some channels of a convolution [channels, 1, taps], with or without the 1, or of its bias: taps outermost.</summary>
    protected static TensorSource Convolution(StoredTensor stored, int first, int count)
    {
        var own = stored.Narrow(0, first, count);
        return ByRows(own.Shape.Count > 1 ? own.Transpose(0, own.Shape.Count - 1) : own);
    }

    /// <summary>V, which the release's code makes a multiple of a number.</summary>
    private static int Vocabulary(ConfigFile config)
    {
        var tokens = config.Int("vocab_size");
        var multiple = IsRelease(config) ? config.Int("pad_vocab_size_multiple", 8) : 1;
        return multiple is >= 1 and <= 1 << 16 && tokens <= int.MaxValue - multiple
            ? (tokens + multiple - 1) / multiple * multiple
            : throw config.Error($"'pad_vocab_size_multiple' must be from 1 to {1 << 16}");
    }

    private static void CheckRelease(ConfigFile config, ConfigFile space)
    {
        if (!config.Bool("rms_norm", true))
            throw config.Error("'rms_norm' false is not supported");
        if (config.Int("d_intermediate", 0) != 0)
            throw config.Error("'d_intermediate' other than 0 is not supported");
        if (config.Has("attn_layer_idx") && !config.IsEmpty("attn_layer_idx"))
            throw config.Error("'attn_layer_idx' with layers of attention is not supported");
        if (space.Has("d_ssm"))
            throw space.Error("'ssm_cfg.d_ssm' is not supported");
        ConfigParts.RefuseTrue(space, "D_has_hdim", "norm_before_gate");
        if (!space.Bool("rmsnorm", true))
            throw space.Error("'ssm_cfg.rmsnorm' false is not supported");
    }
}
