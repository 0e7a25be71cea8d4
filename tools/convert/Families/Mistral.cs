using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Mistral 7B: LLaMA's layout with a sliding window, which later releases set to null (Jiang et al. 2023, arXiv 2310.06825).</summary>
internal sealed class Mistral : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["MistralForCausalLM", "Mistral3ForConditionalGeneration"];

    /// <summary>The text model of one that reads images is another family's in later releases.</summary>
    public override bool Covers(ConfigFile config) => config.Object("text_config")?.String("model_type") is null or "mistral";

    /// <inheritdoc/>
    public override bool IsOrigin => true;

    /// <inheritdoc/>
    public override FamilyCard Card => new("Mistral 7B (arXiv 2310.06825), Zephyr (arXiv 2310.16944), Mistral Small 3.1 without its images (release, 2025)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        int? window = config.IsNull("sliding_window") ? null : config.Int("sliding_window", 4096);
        return Describe(config, new(ContextLength: 131072, KeyValueHeads: 8), inputBias: false, outputBias: false, _ => window);
    }
}
