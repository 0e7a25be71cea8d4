using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>M2M-100 and NLLB-200: norms before the blocks, sinusoidal positions (Fan et al. 2020, arXiv 2010.11125; NLLB team 2022, arXiv 2207.04672).</summary>
internal class M2M100(params IEnumerable<(string Packed, string Source)> others) : BartLayout(others)
{
    /// <summary>M2M-100's own names.</summary>
    public M2M100()
        : this([])
    {
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["M2M100ForConditionalGeneration"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("M2M-100 (arXiv 2010.11125), NLLB-200 (arXiv 2207.04672)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => Describe(config, normsFirst: true, normsEmbedding: false, hasHeadBias: false, "relu");

    /// <summary>Positions are counted from the padding token's number on.</summary>
    protected override TensorSource Positions(TensorRequirement requirement, TensorShelf shelf) =>
        new([]) { Transform = _ => Sinusoids.Table(requirement.Shape[0], requirement.Shape[1], shelf.Config.Int("pad_token_id", 1) + 1) };
}
