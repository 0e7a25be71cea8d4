using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Gemma and CodeGemma (Gemma team 2024, arXiv 2403.08295).</summary>
internal sealed class Gemma : GemmaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GemmaForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Gemma (arXiv 2403.08295)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override GgufForm Gguf { get; } = GgufOf("gemma", evenLayers: null);

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => DescribeGemma(config, new(ContextLength: 8192, KeyValueHeads: 16), _ => null);
}
