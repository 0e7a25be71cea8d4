using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Qwen1.5-MoE and Qwen2-57B-A14B: Qwen2 with a mixture of experts, and one that every token goes through behind a switch (Qwen team 2024, arXiv 2407.10671).</summary>
internal sealed class Qwen2Moe() : ExpertLayout(
    NumberedExperts,
    ("feed_forward.router", "model.layers.#.mlp.gate"),
    ("feed_forward.shared.gate", "model.layers.#.mlp.shared_expert.gate_proj"),
    ("feed_forward.shared.up", "model.layers.#.mlp.shared_expert.up_proj"),
    ("feed_forward.shared.down", "model.layers.#.mlp.shared_expert.down_proj"),
    ("feed_forward.switch", "model.layers.#.mlp.shared_expert_gate"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Qwen2MoeForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Qwen1.5-MoE A2.7B (release, 2024), Qwen2 57B-A14B (arXiv 2407.10671)", "byte-level BPE");

    /// <inheritdoc/>
    public override GgufForm Gguf { get; } = new("qwen2moe")
    {
        Members = [("num_experts", "expert_count"), ("num_experts_per_tok", "expert_used_count"), ("moe_intermediate_size", "expert_feed_forward_length"), ("shared_expert_intermediate_size", "expert_shared_feed_forward_length")],
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("qkv_bias", true);
        var model = Describe(config, new(ContextLength: 32768, KeyValueHeads: 16), bias, outputBias: false, LayerWindows.Switched(config));
        return WithExperts(
            config,
            model,
            new()
            {
                Count = config.Int(ConfigParts.Spelling(config, "num_experts", "num_local_experts"), 60),
                Active = config.Int("num_experts_per_tok", 4),
                Normalized = config.Bool("norm_topk_prob", false),
                SharedSize = config.Int("shared_expert_intermediate_size", 5632),
                SharedSwitch = true,
            },
            defaultSize: 1408);
    }
}
