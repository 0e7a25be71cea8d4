using System.Text.Json;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Mamba-2, Codestral Mamba (Dao and Gu 2024, arXiv 2405.21060).</summary>
internal sealed class Mamba2 : StateSpaceLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Mamba2ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Mamba-2 (arXiv 2405.21060), Codestral Mamba (release, 2024)", "byte-level BPE (GPT-NeoX); SentencePiece BPE (Codestral)");

    /// <inheritdoc/>
    protected override string Layer => "Mamba2";

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var width = Width(config);
        var (heads, size) = Heads(config, width);
        if ((long)heads * size != width)
            throw config.Error($"{heads} heads of {size} channels are not the {width} that 'expand' and 'hidden_size' ask for");
        var (min, max) = Limits(config);
        return Describe(config, new()
        {
            Kind = StateSpaceKind.Dual,
            Width = width,
            StateSize = Size(config, "state_size", "d_state", 128),
            Convolution = Size(config, "conv_kernel", "d_conv", 4),
            Heads = heads,
            Groups = Size(config, "n_groups", "ngroups", IsRelease(config) ? 1 : 8),
            // Of each group by itself, as in the release: the ports norm all channels together, which is the same with one group.
            Norm = new() { Kind = NormKind.Rms, Epsilon = (float)config.Double("layer_norm_epsilon", 1e-5) },
            StepMin = min,
            StepMax = max,
        }, isTied: false);
    }

    /// <inheritdoc/>
    public override string SourceName(string packedName) => InLayer(packedName) switch
    {
        "state_space.output_norm.weight" => Named(packedName, "norm.weight"),
        var name when name.Contains("_convolution.", StringComparison.Ordinal) => Named(packedName, "conv1d." + name.Split('.')[^1]),
        var name when name.Split('.') is ["state_space", "input" or "gate" or "b" or "c" or "step", var kind] => Named(packedName, "in_proj." + kind),
        _ => base.SourceName(packedName),
    };

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var name = InLayer(requirement.Name);
        if (!name.StartsWith("state_space.", StringComparison.Ordinal))
            return new(Take(requirement, shelf));
        var space = model.Layers[int.Parse(requirement.Name.Split('.')[1], System.Globalization.CultureInfo.InvariantCulture)].StateSpace!;
        var (i, n, heads) = (space.Width, space.Groups * space.StateSize, space.Heads);
        // A head's step has a bias of its own, beside that of the projection, if it has one.
        if (name == "state_space.step.bias")
        {
            var own = shelf.Take(Named(requirement.Name, "dt_bias"));
            if (!space.Bias)
                return new(own);
            var shared = OfRows(shelf.Take(SourceName(requirement.Name)), (2 * i) + (2 * n) + heads).Narrow(0, (2 * i) + (2 * n), heads);
            return new([OfRows(own, heads), shared]) { Resizes = true, Transform = both => [.. both[..heads].Zip(both[heads..], (a, b) => a + b)] };
        }

        var stored = shelf.Take(SourceName(requirement.Name));
        TensorSource Rows(int first, int count) => new(OfRows(stored, (2 * i) + (2 * n) + heads).Narrow(0, first, count));
        TensorSource Channels(int first, int count) => Convolution(OfRows(stored, i + (2 * n)), first, count);
        return name.Split('.')[1] switch
        {
            "gate" => Rows(0, i),
            "input" => Rows(i, i),
            "b" => Rows(2 * i, n),
            "c" => Rows((2 * i) + n, n),
            "step" => Rows((2 * i) + (2 * n), heads),
            "input_convolution" => Channels(0, i),
            "b_convolution" => Channels(i, n),
            "c_convolution" => Channels(i + n, n),
            _ => new(stored),
        };
    }

    /// <summary>Transformers' configs say how many heads there are, the release's how large they are.</summary>
    private static (int Count, int Size) Heads(ConfigFile config, int width)
    {
        if (IsRelease(config))
            return Size(config, "head_dim", "headdim", 64) is var released and > 0 ? (width / released, released) : throw config.Error("'ssm_cfg.headdim' must be positive");
        var heads = config.Int("num_heads", 128);
        return (heads, config.Int("head_dim", heads > 0 ? width / heads : 0));
    }

    private static string Named(string packedName, string name) => Mixer.Replace("#", packedName.Split('.')[1], StringComparison.Ordinal) + name;

    /// <summary>Limits of steps, those that limit nothing left out: 0, and infinity, which writers of configs spell in several ways.</summary>
    private static (float? Min, float? Max) Limits(ConfigFile config)
    {
        var space = SpaceOf(config);
        var name = ConfigParts.Spelling(space, "time_step_limit", "dt_limit");
        if (space.Json(name) is not { } limits)
            return (null, null);
        if (limits.ValueKind != JsonValueKind.Array || limits.GetArrayLength() != 2)
            throw config.Error($"'{name}' must be a list of two numbers");
        float? Limit(int index) => limits[index] is { ValueKind: JsonValueKind.Number } number && number.GetSingle() is var limit && float.IsFinite(limit) ? limit : null;
        return (Limit(0) is > 0 and var min ? min : null, Limit(1));
    }
}
