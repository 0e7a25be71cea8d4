using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>ERNIE 4.5's dense model: LLaMA whose heads turn by neighbours, with biases everywhere or nowhere (Baidu 2025, release).</summary>
internal sealed class Ernie : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("ERNIE 4.5 0.3B (release, 2025)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("use_bias", false);
        var model = Describe(config, new(ContextLength: 131072, KeyValueHeads: 2, RotaryBase: 500000) { Epsilon = 1e-5, Tied = true }, bias, bias, _ => null);
        return WithLayers(model, (layer, _) => layer with { FeedForward = layer.FeedForward! with { Bias = bias } });
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        FromPairs(Rows(requirement, model, shelf), requirement, model);
}
