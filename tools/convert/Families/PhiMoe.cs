using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Phi-3.5-MoE and GRIN-MoE: LayerNorm with biases, and two experts for each token, each weighed among those whose logits are near its own (Microsoft 2024, arXiv 2404.14219; Liu et al.
/// 2024, arXiv 2409.12136).
/// </summary>
internal sealed class PhiMoe() : ExpertLayout(
    new Dictionary<string, string>
    {
        ["feed_forward.gate"] = "model.layers.#.block_sparse_moe.experts.*.w1",
        ["feed_forward.up"] = "model.layers.#.block_sparse_moe.experts.*.w3",
        ["feed_forward.down"] = "model.layers.#.block_sparse_moe.experts.*.w2",
    },
    ("feed_forward.router", "model.layers.#.block_sparse_moe.gate"))
{
    private const int Active = 2;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["PhimoeForCausalLM", "PhiMoEForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Phi-3.5-MoE (arXiv 2404.14219), GRIN-MoE (arXiv 2409.12136)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        const int Context = 131072;
        if (config.Int("num_experts_per_tok", Active) is not Active and var other)
            throw config.Error($"'num_experts_per_tok' {other} is not supported; supported is {Active}");
        var bias = config.Bool("attention_bias", false);
        int? window = config.Has("sliding_window") ? config.Int("sliding_window") : null;
        var defaults = new Defaults(Context, KeyValueHeads: 8)
        {
            Norm = ConfigParts.LayerNorm(config, "rms_norm_eps"), Rotary = Rotary(config, config.Length("max_position_embeddings", Context)),
        };
        var model = Describe(config, defaults, bias, bias, _ => window);
        var experts = new ExpertsDescription { Count = config.Int("num_local_experts", 16), Active = Active, Margin = (float)(2 * config.Double("router_jitter_noise", 0.01)) };
        return WithLayers(model, (layer, _) => layer with { FeedForward = layer.FeedForward! with { Experts = experts } }) with
        {
            Head = model.Head with { Bias = config.Bool("lm_head_bias", false) },
        };
    }

    /// <summary>LongRoPE has its factor on cosine and sine from the config, and two of them, for texts within the original context and for longer ones.</summary>
    private static RotaryDescription Rotary(ConfigFile config, int context)
    {
        var rotary = RotaryConfig.Read(config, context, defaultTheta: 1e6);
        if (RotaryConfig.Parameters(config) is not { } parameters || rotary.Scaling is not { } scaling)
            return rotary;
        if (scaling.Kind != RotaryScalingKind.LongRope)
            throw parameters.Error($"the rotary scaling '{RotaryConfig.Kind(parameters)}' is not supported; supported is longrope");
        var factor = parameters.Double("short_mscale");
        if (scaling.LongDivisors is not null && parameters.Double("long_mscale") is var other && other != factor)
            throw parameters.Error($"'long_mscale' {other} other than 'short_mscale' is not supported");
        return rotary with { Scaling = scaling with { AttentionFactor = factor } };
    }
}
