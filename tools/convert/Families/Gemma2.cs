using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Gemma 2: sandwich norms, capped scores and logits, a window in every other layer (Gemma team 2024, arXiv 2408.00118).</summary>
internal sealed class Gemma2() : GemmaLayout(
    ("attention_output_norm", "model.layers.#.post_attention_layernorm"),
    ("feed_forward_norm", "model.layers.#.pre_feedforward_layernorm"),
    ("feed_forward_output_norm", "model.layers.#.post_feedforward_layernorm"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Gemma2ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Gemma 2 (arXiv 2408.00118)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override GgufForm Gguf { get; } = GgufOf("gemma2", evenLayers: 46);

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var windows = LayerWindows.Mixed(config, layer => layer % 2 == 0);
        return Sandwich(config, DescribeGemma(config, new(ContextLength: 8192, KeyValueHeads: 4), windows), cap: (50, 30));
    }
}
