using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// GLM-4 and GLM-4-0414: LLaMA with biases, half of each head turning by neighbours, gate and up in one matrix; the later one with
/// sandwich norms (Zhipu AI 2024, arXiv 2406.12793).
/// </summary>
internal sealed class Glm4() : LlamaLayout(
    ("attention_output_norm", "model.layers.#.post_self_attn_layernorm"),
    ("feed_forward.gate", "model.layers.#.mlp.gate_up_proj"),
    ("feed_forward.up", "model.layers.#.mlp.gate_up_proj"),
    ("feed_forward_output_norm", "model.layers.#.post_mlp_layernorm"))
{
    private const string Sandwich = "Glm4ForCausalLM";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GlmForCausalLM", Sandwich];

    /// <inheritdoc/>
    public override FamilyCard Card => new("GLM-4 9B (arXiv 2406.12793), GLM-4-0414 (release, 2025)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var defaults = new Defaults(ContextLength: 131072, KeyValueHeads: 2) { HeadSize = 128, TurnedPart = 0.5, Epsilon = 1.5625e-7 };
        var model = Describe(config, defaults, config.Bool("attention_bias", true), outputBias: false, _ => null);
        return !config.Strings("architectures").Contains(Sandwich) ? model : WithLayers(model, (layer, _) => layer with
        {
            AttentionOutputNorm = layer.AttentionNorm,
            FeedForwardOutputNorm = layer.FeedForwardNorm,
        });
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        FromPairs(Rows(requirement, model, shelf), requirement, model);
}
