using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Helium 1: LLaMA whose heads turn by neighbours (Kyutai 2025, release).</summary>
internal sealed class Helium : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["HeliumForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Helium 1 2B (release, 2025)", "SentencePiece Unigram");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => Describe(
        config, new(ContextLength: 4096, KeyValueHeads: 20, RotaryBase: 100000) { HeadSize = 128, Epsilon = 1e-8 }, config.Bool("attention_bias", false), outputBias: false, _ => null);

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        FromPairs(Rows(requirement, model, shelf), requirement, model);
}
