using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Jamba: layers of Mamba with norms of steps, B and C, among them some of attention without positions, and mixtures of experts in some of both (Lieber et al. 2024, arXiv 2403.19887).</summary>
internal sealed class Jamba() : ExpertLayout(
    new Dictionary<string, string>
    {
        ["feed_forward.gate"] = Block + "experts.*.gate_proj",
        ["feed_forward.up"] = Block + "experts.*.up_proj",
        ["feed_forward.down"] = Block + "experts.*.down_proj",
    },
    ("feed_forward_norm", "model.layers.#.pre_ff_layernorm"),
    ("feed_forward.router", Block + "router"),
    ("feed_forward.gate", Block + "gate_proj"),
    ("feed_forward.up", Block + "up_proj"),
    ("feed_forward.down", Block + "down_proj"),
    ("final_norm", "model.final_layernorm"))
{
    private const string Block = "model.layers.#.feed_forward.";

    private static readonly Dictionary<string, string> StateSpace = new()
    {
        ["state_space.input.weight"] = "in_proj.weight",
        ["state_space.input.bias"] = "in_proj.bias",
        ["state_space.gate.weight"] = "in_proj.weight",
        ["state_space.gate.bias"] = "in_proj.bias",
        ["state_space.input_convolution.weight"] = "conv1d.weight",
        ["state_space.input_convolution.bias"] = "conv1d.bias",
        ["state_space.step_in.weight"] = "x_proj.weight",
        ["state_space.b.weight"] = "x_proj.weight",
        ["state_space.c.weight"] = "x_proj.weight",
        ["state_space.step_norm.weight"] = "dt_layernorm.weight",
        ["state_space.b_norm.weight"] = "b_layernorm.weight",
        ["state_space.c_norm.weight"] = "c_layernorm.weight",
        ["state_space.step.weight"] = "dt_proj.weight",
        ["state_space.step.bias"] = "dt_proj.bias",
        ["state_space.decay"] = "A_log",
        ["state_space.skip"] = "D",
        ["state_space.output.weight"] = "out_proj.weight",
        ["state_space.output.bias"] = "out_proj.bias",
    };

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["JambaForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Jamba (arXiv 2403.19887), Jamba 1.5 (arXiv 2408.12570), Jamba Reasoning 3B (release, 2025)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var model = Describe(config, new(ContextLength: 262144, KeyValueHeads: 8), inputBias: false, outputBias: false, _ => null);
        var hidden = model.HiddenSize;
        var space = new StateSpaceDescription
        {
            Kind = StateSpaceKind.Selective,
            Width = config.Int("mamba_expand", 2) * hidden,
            StateSize = config.Int("mamba_d_state", 16),
            Convolution = config.Int("mamba_d_conv", 4),
            ConvolutionBias = config.Bool("mamba_conv_bias", true),
            Bias = config.Bool("mamba_proj_bias", false),
            StepRank = config.Json("mamba_dt_rank") is null or { ValueKind: System.Text.Json.JsonValueKind.String } ? (hidden + 15) / 16 : config.Int("mamba_dt_rank"),
            InputNorm = model.FinalNorm,
        };
        var experts = new ExpertsDescription { Count = config.Int("num_experts", 16), Active = config.Int("num_experts_per_tok", 2) };
        var (period, offset) = (Math.Max(config.Int("attn_layer_period", 8), 1), config.Int("attn_layer_offset", 4));
        var (expertPeriod, expertOffset) = (Math.Max(config.Int("expert_layer_period", 2), 1), config.Int("expert_layer_offset", 1));
        return WithLayers(model, (layer, i) => layer with
        {
            Attention = i % period == offset ? layer.Attention! with { Rotary = null } : null,
            StateSpace = i % period == offset ? null : space,
            FeedForward = layer.FeedForward! with { Experts = experts.Count > 1 && i % expertPeriod == expertOffset ? experts : null },
        });
    }

    /// <inheritdoc/>
    public override string SourceName(string packedName) => packedName.Split('.', 3) is ["layers", var layer, var rest] && StateSpace.TryGetValue(rest, out var name)
        ? $"model.layers.{layer}.mamba.{name}"
        : base.SourceName(packedName);

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        requirement.Name.Split('.') is ["layers", var layer, "state_space", ..]
            ? SelectiveLayout.SourceOf(requirement.Name, model.Layers[int.Parse(layer, System.Globalization.CultureInfo.InvariantCulture)].StateSpace!, shelf.Take(SourceName(requirement.Name)))
            : base.Source(requirement, model, shelf);
}
