using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>mBART and mBART-50: BART with norms before the blocks (Liu et al. 2020, arXiv 2001.08210; Tang et al. 2020, arXiv 2008.00401).</summary>
internal sealed class MBart : BartLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["MBartForConditionalGeneration"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("mBART (arXiv 2001.08210), mBART-50 (arXiv 2008.00401)", "SentencePiece Unigram");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => Describe(config, normsFirst: true, normsEmbedding: true, hasHeadBias: true);
}
