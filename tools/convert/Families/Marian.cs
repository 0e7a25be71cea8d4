using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Marian's translators, OPUS-MT among them: norms after the sums, positions of sines and cosines (Junczys-Dowmunt et al. 2018, arXiv 1804.00344).</summary>
internal sealed class Marian : BartLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["MarianMTModel"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Marian (arXiv 1804.00344), OPUS-MT (arXiv 2212.01936)", "SentencePiece Unigram, one each for source and target (not read: give token ids)");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => config.Bool("share_encoder_decoder_embeddings", true)
        ? Describe(config, normsFirst: false, normsEmbedding: false, hasHeadBias: true)
        : throw config.Error("'share_encoder_decoder_embeddings' false, a vocabulary a language, is not supported");

    /// <inheritdoc/>
    protected override TensorSource Positions(TensorRequirement requirement, TensorShelf shelf) => Computed(requirement, shelf);
}
