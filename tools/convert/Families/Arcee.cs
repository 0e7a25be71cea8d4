using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>AFM 4.5B: LLaMA with relu² and no gate (Arcee AI 2025, release).</summary>
internal sealed class Arcee : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["ArceeForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("AFM 4.5B (release, 2025)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        var model = Describe(config, new(ContextLength: 4096, KeyValueHeads: null) { Epsilon = 1e-5, Activation = "relu2" }, bias, bias, _ => null);
        return WithLayers(model, (layer, _) => layer with { FeedForward = layer.FeedForward! with { Plain = true } });
    }
}
