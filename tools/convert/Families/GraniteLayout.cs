using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// What Granite's generations share: LLaMA with factors, m on what branches add, others on embeddings, scores and logits. With x / m in place of x no branch needs its factor: norms, which
/// alone read x, give the same with ε / m².
/// </summary>
/// <param name="others">Modules that have another name than LLaMA's.</param>
internal abstract class GraniteLayout(params IEnumerable<(string Packed, string Source)> others) : LlamaLayout(others)
{
    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        var factor = Positive(config, "residual_multiplier");
        var norm = new NormDescription { Kind = NormKind.Rms, Epsilon = (float)(config.Double("rms_norm_eps", 1e-6) / (factor * factor)) };
        var model = Describe(config, new(ContextLength: 2048, KeyValueHeads: null) { Norm = norm }, bias, bias, _ => null);
        var scale = (float)Positive(config, "attention_multiplier");
        return WithLayers(model, (layer, _) => layer with { Attention = layer.Attention! with { Scale = scale } }) with
        {
            Embedding = new() { Scale = (float)(Positive(config, "embedding_multiplier") / factor) },
            Head = model.Head with { Scale = (float)(1 / Positive(config, "logits_scaling")) },
        };
    }

    private static double Positive(ConfigFile config, string name) =>
        config.Double(name, 1) is var value and > 0 and < double.PositiveInfinity ? value : throw config.Error($"'{name}' must be positive");
}
