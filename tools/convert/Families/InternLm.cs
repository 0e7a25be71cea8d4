using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>InternLM 1: LLaMA's layout with biases on all four attention projections (InternLM release, 2023).</summary>
internal sealed class InternLm : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["InternLMForCausalLM"];

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("bias", true);
        return Describe(config, new(ContextLength: 2048, KeyValueHeads: null), bias, bias, _ => null);
    }
}
