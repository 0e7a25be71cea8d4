namespace Weft.Convert.Families;

/// <summary>Granite 3's dense models (IBM 2024, release; arXiv 2405.04324 for their forerunner).</summary>
internal sealed class Granite : GraniteLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GraniteForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Granite 3 (release, 2024)", "byte-level BPE");
}
