using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>BlenderBot: norms before the blocks, learned positions from the table's first row on (Roller et al. 2020, arXiv 2004.13637).</summary>
internal sealed class Blenderbot : BartLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["BlenderbotForConditionalGeneration"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("BlenderBot (arXiv 2004.13637)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => Describe(config, normsFirst: true, normsEmbedding: false, hasHeadBias: true);

    /// <inheritdoc/>
    protected override TensorSource Positions(TensorRequirement requirement, TensorShelf shelf) => new(shelf.Take(SourceName(requirement.Name)));
}
