using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// LLaMA, Llama 2 and 3, and what keeps their layout: TinyLlama, OpenLLaMA, Alpaca, Vicuna, Yi, SOLAR, DeepSeek Coder and LLM, …
/// (Touvron et al. 2023, arXiv 2302.13971 and 2307.09288).
/// </summary>
internal sealed class Llama : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["LlamaForCausalLM", "LLaMAForCausalLM"];

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        return Describe(config, new(ContextLength: 2048, KeyValueHeads: null), bias, bias, _ => null);
    }
}
