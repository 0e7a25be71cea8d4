using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Qwen3's mixtures of experts: Qwen3 with many small experts and none that every token goes through (Qwen team 2025, arXiv 2505.09388).</summary>
internal sealed class Qwen3Moe() : ExpertLayout(NumberedExperts, ("feed_forward.router", "model.layers.#.mlp.gate"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Qwen3MoeForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Qwen3 30B-A3B and 235B-A22B (arXiv 2505.09388)", "byte-level BPE");

    /// <inheritdoc/>
    public override GgufForm Gguf { get; } = new("qwen3moe")
    {
        Members = [("num_experts", "expert_count"), ("num_experts_per_tok", "expert_used_count"), ("moe_intermediate_size", "expert_feed_forward_length")],
        Constants = _ => [("norm_topk_prob", true)],
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        var model = Describe(config, new(ContextLength: 32768, KeyValueHeads: 4), bias, bias, LayerWindows.Switched(config));
        model = WithLayers(model, (layer, _) => layer with { Attention = layer.Attention! with { QueryKeyNorm = new() { Norm = layer.AttentionNorm! } } });
        return WithExperts(
            config,
            model,
            new()
            {
                Count = config.Int(ConfigParts.Spelling(config, "num_experts", "num_local_experts"), 128),
                Active = config.Int("num_experts_per_tok", 8),
                Normalized = config.Bool("norm_topk_prob", false),
            },
            defaultSize: 768);
    }
}
