using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>StableLM 3B and StableLM 2: LLaMA with LayerNorm and heads that turn in part (Bellagamba et al. 2024, arXiv 2402.17834).</summary>
internal sealed class StableLm() : LlamaLayout(
    ("attention.query_norm", "model.layers.#.self_attn.q_layernorm.norms"),
    ("attention.key_norm", "model.layers.#.self_attn.k_layernorm.norms"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["StableLmForCausalLM", "StableLMEpochForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("StableLM 3B-4E1T (release, 2023), StableLM 2 (arXiv 2402.17834)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        // The first release has other names for two members.
        var norm = ConfigParts.LayerNorm(config, "layer_norm_eps", config.Double("norm_eps", 1e-5));
        var defaults = new Defaults(ContextLength: 4096, KeyValueHeads: 32) { Norm = norm, TurnedPart = config.Double("rope_pct", 0.25) };
        var model = Describe(config, defaults, config.Bool("use_qkv_bias", false), outputBias: false, _ => null);
        var isParallel = config.Bool("use_parallel_residual", false);
        return WithLayers(model, (layer, _) => layer with
        {
            Parallel = isParallel,
            FeedForwardNorm = isParallel ? null : norm,
            Attention = layer.Attention! with
            {
                QueryKeyNorm = config.Bool("qk_layernorm", false) ? new() { Norm = norm with { Bias = false } } : null,
            },
        });
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        if (ModuleOf(requirement.Name) is not ("attention.query_norm" or "attention.key_norm"))
            return base.Source(requirement, model, shelf);
        var heads = Enumerable.Range(0, HeadsOf(requirement.Name, model));
        return new([.. heads.Select(head => shelf.Take(SourceName(requirement.Name).Replace("norms.", $"norms.{head}.", StringComparison.Ordinal)))]);
    }
}
