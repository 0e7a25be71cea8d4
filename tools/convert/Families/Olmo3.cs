using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>OLMo 3: OLMo 2 with windows in three layers of four (OLMo team 2025, release).</summary>
internal sealed class Olmo3() : LlamaLayout(
    ("attention_output_norm", "model.layers.#.post_attention_layernorm"),
    ("feed_forward_output_norm", "model.layers.#.post_feedforward_layernorm"))
{
    private const int Pattern = 4;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Olmo3ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("OLMo 3 (release, 2025)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        var window = LayerWindows.Mixed(config, layer => (layer + 1) % Pattern != 0);
        return WithOutputNorms(Describe(config, new(ContextLength: 2048, KeyValueHeads: null) { Epsilon = 1e-5 }, bias, bias, window));
    }
}
