using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Hunyuan's dense models: LLaMA with norms of each query and key head after they are turned (Tencent 2025, release).</summary>
internal sealed class HunYuan() : LlamaLayout(
    ("attention.query_norm", "model.layers.#.self_attn.query_layernorm"),
    ("attention.key_norm", "model.layers.#.self_attn.key_layernorm"))
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["HunYuanDenseV1ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Hunyuan 0.5B to 7B (release, 2025)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        ConfigParts.RefuseTrue(config, "use_cla");
        var bias = config.Bool("attention_bias", false);
        var hasNorm = config.Bool("use_qk_norm", true);
        var model = Describe(config, new(ContextLength: 2048, KeyValueHeads: null) { Epsilon = 1e-5, Rotary = Rotary(config) }, bias, bias, _ => null);
        return WithLayers(model, (layer, _) => layer with
        {
            Attention = layer.Attention! with { QueryKeyNorm = hasNorm ? new() { Norm = layer.AttentionNorm!, AfterTurning = true } : null },
        });
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        TensorSource.Repeated(Rows(requirement, model, shelf), HeadsOf(requirement.Name, model));

    /// <summary>With an 'alpha' dynamic scaling is none: the base is as large from the beginning.</summary>
    private static RotaryDescription? Rotary(ConfigFile config)
    {
        if (RotaryConfig.Parameters(config) is not { } parameters || RotaryConfig.Kind(parameters) != "dynamic" || parameters.Double("alpha", 0) is not (> 0 and var alpha))
            return null;
        double size = config.Has("head_dim") ? config.Int("head_dim") : ConfigParts.HeadSize(config, config.Int("hidden_size"), config.Int("num_attention_heads"));
        return new() { Theta = parameters.Double("rope_theta", config.Double("rope_theta", 10000)) * Math.Pow(alpha, size / (size - 2)) };
    }
}
