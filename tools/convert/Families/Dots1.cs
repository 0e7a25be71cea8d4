using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>dots.llm1: Qwen3's attention and DeepSeek-V3's mixtures of experts (rednote-hilab 2025, arXiv 2506.05767).</summary>
internal sealed class Dots1() : ExpertLayout(
    NumberedExperts,
    ("feed_forward.router", "model.layers.#.mlp.gate"),
    ("feed_forward.shared.gate", "model.layers.#.mlp.shared_experts.gate_proj"),
    ("feed_forward.shared.up", "model.layers.#.mlp.shared_experts.up_proj"),
    ("feed_forward.shared.down", "model.layers.#.mlp.shared_experts.down_proj"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Dots1ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("dots.llm1 (arXiv 2506.05767)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        var window = LayerWindows.Mixed(config, layer => layer >= config.Int("max_window_layers", 62));
        var model = WithLayers(Describe(config, new(ContextLength: 2048, KeyValueHeads: null), bias, bias, window), (layer, _) => layer with
        {
            Attention = layer.Attention! with { QueryKeyNorm = new() { Norm = layer.AttentionNorm! } },
        });
        var size = config.Int("moe_intermediate_size", 1408);
        return AfterDense(config, model, BiasedExperts(config, size, active: null, normalized: false, scale: 1), size, first: 0);
    }
}
