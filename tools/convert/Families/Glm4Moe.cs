using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>GLM-4.5: LLaMA with a half of each head turning, and DeepSeek-V3's mixtures of experts (Zhipu AI 2025, arXiv 2508.06471).</summary>
internal sealed class Glm4Moe() : ExpertLayout(
    NumberedExperts,
    ("feed_forward.router", "model.layers.#.mlp.gate"),
    ("feed_forward.shared.gate", "model.layers.#.mlp.shared_experts.gate_proj"),
    ("feed_forward.shared.up", "model.layers.#.mlp.shared_experts.up_proj"),
    ("feed_forward.shared.down", "model.layers.#.mlp.shared_experts.down_proj"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Glm4MoeForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("GLM-4.5 and 4.5-Air (arXiv 2508.06471), GLM-4.6 (release, 2025)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var defaults = new Defaults(ContextLength: 131072, KeyValueHeads: 8) { TurnedPart = 0.5, Epsilon = 1e-5 };
        var model = Describe(config, defaults, config.Bool("attention_bias", false), outputBias: false, _ => null);
        if (config.Bool("use_qk_norm", false))
            model = WithLayers(model, (layer, _) => layer with { Attention = layer.Attention! with { QueryKeyNorm = new() { Norm = layer.AttentionNorm! } } });
        var size = config.Int("moe_intermediate_size", 1408);
        return AfterDense(config, model, BiasedExperts(config, size, active: 8, normalized: true, scale: 1), size, first: 1);
    }
}
