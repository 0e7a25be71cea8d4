using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>OLMoE: OLMo 2's norms of all queries and keys together, norms before the branches, and many small experts (Muennighoff et al. 2024, arXiv 2409.02060).</summary>
internal sealed class Olmoe() : ExpertLayout(NumberedExperts, ("feed_forward.router", "model.layers.#.mlp.gate"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["OlmoeForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("OLMoE 1B-7B (arXiv 2409.02060)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        var experts = new ExpertsDescription { Count = config.Int("num_experts", 64), Active = config.Int("num_experts_per_tok", 8), Normalized = config.Bool("norm_topk_prob", false) };
        float? clip = config.Has("clip_qkv") ? (float)config.Double("clip_qkv") : null;
        return WithLayers(Describe(config, new(ContextLength: 4096, KeyValueHeads: null) { Epsilon = 1e-5 }, bias, bias, _ => null), (layer, _) => layer with
        {
            Attention = layer.Attention! with { QueryKeyNorm = new() { Norm = layer.AttentionNorm!, AcrossHeads = true }, Clip = clip },
            FeedForward = layer.FeedForward! with { Experts = experts },
        });
    }
}
