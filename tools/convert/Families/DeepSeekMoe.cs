using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>DeepSeekMoE: LLaMA with many small experts, some of which see every token (Dai et al. 2024, arXiv 2401.06066).</summary>
internal sealed class DeepSeekMoe() : ExpertLayout(
    NumberedExperts,
    ("feed_forward.router", "model.layers.#.mlp.gate"),
    ("feed_forward.shared.gate", "model.layers.#.mlp.shared_experts.gate_proj"),
    ("feed_forward.shared.up", "model.layers.#.mlp.shared_experts.up_proj"),
    ("feed_forward.shared.down", "model.layers.#.mlp.shared_experts.down_proj"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["DeepseekForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("DeepSeekMoE 16B (arXiv 2401.06066)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        if (config.String("scoring_func") is not (null or "softmax"))
            throw config.Error($"'scoring_func' must be softmax, not '{config.String("scoring_func")}'");
        var bias = config.Bool("attention_bias", false);
        var model = Describe(config, new(ContextLength: 2048, KeyValueHeads: null), bias, bias, _ => null);
        if (!config.Has("n_routed_experts"))
            return model;
        var size = config.Int("moe_intermediate_size", 1407);
        var active = config.Int("num_experts_per_tok");
        return AfterDense(config, model, new()
        {
            Count = config.Int("n_routed_experts"),
            Active = active,
            // One alone keeps its score.
            Normalized = active > 1 && config.Bool("norm_topk_prob", false),
            SharedSize = config.Int("n_shared_experts", 0) is > 0 and var shared ? size * shared : null,
        }, size, first: 0);
    }
}
