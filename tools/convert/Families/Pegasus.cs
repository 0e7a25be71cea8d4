using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>PEGASUS: norms before the blocks, positions of sines and cosines (Zhang et al. 2019, arXiv 1912.08777).</summary>
internal sealed class Pegasus : BartLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["PegasusForConditionalGeneration"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("PEGASUS (arXiv 1912.08777)", "SentencePiece Unigram");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => Describe(config, normsFirst: true, normsEmbedding: false, hasHeadBias: true);

    /// <inheritdoc/>
    protected override TensorSource Positions(TensorRequirement requirement, TensorShelf shelf) => Computed(requirement, shelf);
}
