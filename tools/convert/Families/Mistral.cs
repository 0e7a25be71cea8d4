using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Mistral 7B: LLaMA's layout with a sliding window, which later releases set to null (Jiang et al. 2023, arXiv 2310.06825).</summary>
internal sealed class Mistral : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["MistralForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Mistral 7B (arXiv 2310.06825), Zephyr (arXiv 2310.16944)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        int? window = config.IsNull("sliding_window") ? null : config.Int("sliding_window", 4096);
        return Describe(config, new(ContextLength: 131072, KeyValueHeads: 8), inputBias: false, outputBias: false, _ => window);
    }
}
