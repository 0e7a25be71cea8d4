using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What Granite's generations share: LLaMA with factors on what branches add, on embeddings, scores and logits.</summary>
/// <param name="others">Modules that have another name than LLaMA's.</param>
internal abstract class GraniteLayout(params IEnumerable<(string Packed, string Source)> others) : LlamaLayout(others)
{
    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var model = DescribeScaled(
            config, new(ContextLength: 2048, KeyValueHeads: null), config.Bool("attention_bias", false),
            Positive(config, "residual_multiplier"), Positive(config, "embedding_multiplier"), 1 / Positive(config, "logits_scaling"));
        var scale = (float)Positive(config, "attention_multiplier");
        return WithLayers(model, (layer, _) => layer with { Attention = layer.Attention! with { Scale = scale } });
    }

    private static double Positive(ConfigFile config, string name) =>
        config.Double(name, 1) is var value and > 0 and < double.PositiveInfinity ? value : throw config.Error($"'{name}' must be positive");
}
