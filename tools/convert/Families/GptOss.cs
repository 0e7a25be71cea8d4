using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// gpt-oss: experts with biases whose gates are clamped, windows in every other layer, a sink a head (OpenAI 2025, arXiv 2508.10925, and the release's
/// reference implementation). A layer's experts are one tensor, [experts, in, out], with rows of gate and up in turn.
/// </summary>
internal sealed class GptOss() : LlamaLayout(
    ("feed_forward.router", "model.layers.#.mlp.router"),
    ("feed_forward.gate", "model.layers.#.mlp.experts.gate_up_proj"),
    ("feed_forward.up", "model.layers.#.mlp.experts.gate_up_proj"),
    ("feed_forward.down", "model.layers.#.mlp.experts.down_proj"))
{
    private const string Sinks = "attention.sinks";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GptOssForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("gpt-oss 20b and 120b (arXiv 2508.10925)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        const double Limit = 7;
        var bias = config.Bool("attention_bias", true);
        var model = Describe(
            config, new(ContextLength: 131072, KeyValueHeads: 8, RotaryBase: 150000) { Epsilon = 1e-5, HeadSize = 64 }, bias, bias, LayerWindows.Mixed(config, layer => layer % 2 == 0, 128));
        if (ConfigParts.Activation(config, "hidden_act", "silu") != Activation.Silu)
            throw config.Error("'hidden_act' must be silu");
        var experts = new ExpertsDescription
        {
            Count = config.Int("num_local_experts", 128),
            Active = config.Int(ConfigParts.Spelling(config, "num_experts_per_tok", "experts_per_token"), 4),
            RouterBias = true,
            Normalized = true,
        };
        return WithLayers(model, (layer, _) => layer with
        {
            Attention = layer.Attention! with { Sinks = true },
            FeedForward = layer.FeedForward! with
            {
                Activation = Activation.QuickGelu, Bias = true, Limit = (float)config.Double("swiglu_limit", Limit), Experts = experts,
            },
        });
    }

    /// <inheritdoc/>
    public override string SourceName(string packedName)
    {
        if (packedName.EndsWith(Sinks, StringComparison.Ordinal))
            return $"model.{packedName.Replace(Sinks, "self_attn.sinks", StringComparison.Ordinal)}";
        var name = base.SourceName(packedName);
        return !name.Contains(".experts.", StringComparison.Ordinal) ? name
            : name.EndsWith(".weight", StringComparison.Ordinal) ? name[..^".weight".Length] : name.Replace(".bias", "_bias", StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var stored = shelf.Take(SourceName(requirement.Name));
        if (requirement.Name.EndsWith(Sinks, StringComparison.Ordinal))
            return new(stored);
        StoredTensor Experts() => Rows(stored, requirement, model.Layers[LayerOf(requirement.Name)].FeedForward!.Experts!.Count);
        return new(ModuleOf(requirement.Name) switch
        {
            "feed_forward.gate" => InTurn(Experts(), 0),
            "feed_forward.up" => InTurn(Experts(), 1),
            "feed_forward.down" => Experts(),
            _ => stored,
        });
    }

    /// <summary>Every other row of each expert's matrix or bias.</summary>
    private static StoredTensor InTurn(StoredTensor experts, int first) => experts.Split(1, 2).Narrow(2, first, 1);

    /// <summary>Matrices [experts, in, out] as rows; biases [experts, out] as they are.</summary>
    private static StoredTensor Rows(StoredTensor experts, TensorRequirement requirement, int count)
    {
        if (requirement.IsVector)
            return experts.Shape.Count == 2 && experts.Shape[0] == count ? experts : throw new ShapeException(experts, $"[{count}, …]");
        return experts.Shape.Count == 3 && experts.Shape[0] == count && experts.Shape[1] == requirement.Shape[1]
            ? experts.Transpose(1, 2)
            : throw new ShapeException(experts, $"[{count}, {requirement.Shape[1]}, …]");
    }
}
