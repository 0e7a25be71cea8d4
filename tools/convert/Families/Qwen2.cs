using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Qwen1.5, Qwen2 and Qwen2.5: LLaMA's layout with biases on queries, keys and values (Qwen team 2024, arXiv 2407.10671).</summary>
internal sealed class Qwen2 : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Qwen2ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new(
        "Qwen1.5 (release, 2024), Qwen2 (arXiv 2407.10671), Qwen2.5 (arXiv 2412.15115), DeepSeek-R1 distilled into them (arXiv 2501.12948)",
        "byte-level BPE");

    /// <inheritdoc/>
    public override GgufForm Gguf { get; } = new("qwen2");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) =>
        Describe(config, new(ContextLength: 32768, KeyValueHeads: 32), inputBias: true, outputBias: false, LayerWindows.Switched(config));
}
