using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Phi-3 and Phi-4: LLaMA with queries, keys and values in one matrix, gate and up in another (Microsoft 2024, arXiv 2404.14219).</summary>
internal sealed class Phi3() : LlamaLayout(
    ("attention.query", "model.layers.#.self_attn.qkv_proj"),
    ("attention.key", "model.layers.#.self_attn.qkv_proj"),
    ("attention.value", "model.layers.#.self_attn.qkv_proj"),
    ("feed_forward.gate", "model.layers.#.mlp.gate_up_proj"),
    ("feed_forward.up", "model.layers.#.mlp.gate_up_proj"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Phi3ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new(
        "Phi-3 and 3.5 (arXiv 2404.14219), Phi-4 (arXiv 2412.08905), Phi-4-mini (arXiv 2503.01743)",
        "SentencePiece BPE; byte-level BPE (Phi-4)");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        int? window = config.Has("sliding_window") ? config.Int("sliding_window") : null;
        var kind = RotaryConfig.Parameters(config) is { } parameters ? RotaryConfig.Kind(parameters) : null;
        // Earlier files of the release have other names for the one scaling that there is.
        var isLong = kind is "longrope" or "su" or "yarn";
        var defaults = new Defaults(ContextLength: 4096, KeyValueHeads: null) { Epsilon = 1e-5, TurnedPart = 1, IdleScaling = isLong ? kind : null };
        var model = Describe(config, defaults, inputBias: false, outputBias: false, _ => window);
        return isLong ? WithShortFactors(config, model) : model;
    }

    /// <summary>
    /// LongRoPE has two lists of factors, one for texts within the original context and one for all positions of longer texts. A cached key
    /// cannot change from one to the other, so the model is described within the original context.
    /// </summary>
    private static ModelDescription WithShortFactors(ConfigFile config, ModelDescription model)
    {
        var parameters = RotaryConfig.Parameters(config)!;
        var original = parameters.Int("original_max_position_embeddings", config.Int("original_max_position_embeddings", 4096));
        var factor = (double)model.ContextLength / original;
        var scaling = new RotaryScaling
        {
            Kind = RotaryScalingKind.LongRope,
            Factor = factor,
            OriginalContextLength = original,
            AttentionFactor = parameters.Double("attention_factor", factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(original)))),
            Divisors = parameters.Doubles("short_factor"),
        };
        return WithLayers(model, (layer, _) => layer with { Attention = layer.Attention! with { Rotary = layer.Attention.Rotary! with { Scaling = scaling } } }) with
        {
            ContextLength = Math.Min(original, model.ContextLength),
        };
    }
}
