using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>BART: learned positions, and norms after the sums (Lewis et al. 2019, arXiv 1910.13461).</summary>
internal sealed class Bart : BartLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["BartForConditionalGeneration", "BartModel"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("BART (arXiv 1910.13461)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        // Early configs of models that nobody released.
        ConfigParts.RefuseTrue(config, "normalize_before", "add_final_layer_norm", "extra_pos_embeddings_removed", "static_position_embeddings");
        return Describe(config, normsFirst: false, normsEmbedding: true, hasHeadBias: true);
    }
}
