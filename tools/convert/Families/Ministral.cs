using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Ministral: Mistral with a window in some layers, by default in all (Mistral AI 2024, release).</summary>
internal sealed class Ministral : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["MinistralForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Ministral 8B (release, 2024)", "byte-level BPE (Tekken)");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) =>
        Describe(config, new(ContextLength: 131072, KeyValueHeads: 8) { Epsilon = 1e-6 }, inputBias: false, outputBias: false, LayerWindows.Mixed(config, _ => true));
}
