using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Yi as first released: LLaMA's layout with other names for a layer's norms (01.AI 2023, arXiv 2403.04652).</summary>
internal sealed class Yi : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["YiForCausalLM"];

    /// <inheritdoc/>
    protected override string AttentionNorm => "ln1";

    /// <inheritdoc/>
    protected override string FeedForwardNorm => "ln2";

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) =>
        Describe(config, new(ContextLength: 4096, KeyValueHeads: null), inputBias: false, outputBias: false, _ => null);
}
