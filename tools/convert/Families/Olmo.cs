using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>OLMo: LLaMA with LayerNorm that has neither weight nor bias, queries, keys and values clamped (Groeneveld et al. 2024, arXiv 2402.00838).</summary>
internal sealed class Olmo : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["OlmoForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("OLMo (arXiv 2402.00838)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        // The epsilon is the implementation's; no config has it.
        var norm = new NormDescription { Kind = NormKind.Layer, Epsilon = 1e-5f, Weightless = true };
        return WithLayers(Describe(config, new(ContextLength: 2048, KeyValueHeads: null) { Norm = norm }, bias, bias, _ => null), (layer, _) => layer with
        {
            Attention = layer.Attention! with { Clip = ConfigParts.Optional(config, "clip_qkv") },
        });
    }
}
