using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Orion 14B: LLaMA with LayerNorm (Chen et al. 2024, arXiv 2401.12246).</summary>
internal sealed class Orion : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["OrionForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Orion 14B (arXiv 2401.12246)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        return Describe(config, new(ContextLength: 4096, KeyValueHeads: null) { Norm = ConfigParts.LayerNorm(config, "rms_norm_eps") }, bias, bias, _ => null);
    }
}
