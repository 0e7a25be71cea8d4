using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>OLMo 2: norms of what the branches give and of all queries and keys, none before (OLMo team 2024, arXiv 2501.00656).</summary>
internal sealed class Olmo2() : LlamaLayout(
    ("attention_output_norm", "model.layers.#.post_attention_layernorm"),
    ("feed_forward_output_norm", "model.layers.#.post_feedforward_layernorm"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Olmo2ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("OLMo 2 (arXiv 2501.00656)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        return WithOutputNorms(Describe(config, new(ContextLength: 2048, KeyValueHeads: null) { Epsilon = 1e-5 }, bias, bias, _ => null));
    }
}
