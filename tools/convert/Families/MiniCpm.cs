using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>MiniCPM: LLaMA with factors on embeddings, on what branches add and on logits, and in one model with a mixture of experts (Hu et al. 2024, arXiv 2404.06395).</summary>
internal sealed class MiniCpm() : ExpertLayout(
    new Dictionary<string, string>
    {
        ["feed_forward.gate"] = "model.layers.#.mlp.experts.*.w1",
        ["feed_forward.up"] = "model.layers.#.mlp.experts.*.w3",
        ["feed_forward.down"] = "model.layers.#.mlp.experts.*.w2",
    },
    ("feed_forward.router", "model.layers.#.mlp.gate"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["MiniCPMForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("MiniCPM 1B, 2B and MoE-8x2B (arXiv 2404.06395), MiniCPM4 with dense attention (arXiv 2506.07900)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        if (config.Object("sparse_config") is not null)
            throw config.Error("'sparse_config' is not supported");
        var branches = config.Double("scale_depth", 1) / Math.Sqrt(ConfigParts.Layers(config, "num_hidden_layers"));
        if (branches is not (> 0 and < double.PositiveInfinity))
            throw config.Error("'scale_depth' must be positive");
        var model = DescribeScaled(
            config, new(ContextLength: 2048, KeyValueHeads: null) { Tied = true }, config.Bool("attention_bias", false),
            branches, config.Double("scale_emb", 1), config.Double("dim_model_base", 1) / config.Int("hidden_size"));
        if (config.Int("num_experts", 0) is not (> 0 and var count))
            return model;
        var experts = new ExpertsDescription { Count = count, Active = config.Int("num_experts_per_tok"), Normalized = true };
        return WithLayers(model, (layer, _) => layer with { FeedForward = layer.FeedForward! with { Experts = experts } });
    }
}
