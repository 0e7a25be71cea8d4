using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Mamba (Gu and Dao 2023, arXiv 2312.00752).</summary>
internal sealed class Mamba : SelectiveLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["MambaForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Mamba 130M to 2.8B (arXiv 2312.00752)", "byte-level BPE (GPT-NeoX)");

    /// <inheritdoc/>
    protected override string Layer => "Mamba1";

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => Describe(config, inputNorm: null);
}
