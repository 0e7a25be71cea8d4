using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Yi as first released: LLaMA's layout with other names for a layer's norms (01.AI 2023, arXiv 2403.04652).</summary>
internal sealed class Yi() : LlamaLayout(
    ("attention_norm", "model.layers.#.ln1"),
    ("feed_forward_norm", "model.layers.#.ln2"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["YiForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Yi as first released (arXiv 2403.04652)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) =>
        Describe(config, new(ContextLength: 4096, KeyValueHeads: null), inputBias: false, outputBias: false, _ => null);
}
