using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// DeepSeek-V2 and V3 (and R1): latent attention, small experts of which some are shared (DeepSeek-AI 2024, arXiv 2405.04434 and 2412.19437). V3 scores each
/// of its experts by itself, and chooses them with a bias.
/// </summary>
internal sealed class DeepSeekV2() : ExpertLayout(
    NumberedExperts,
    ("attention.query_latent", "model.layers.#.self_attn.q_a_proj"),
    ("attention.query_turned", "model.layers.#.self_attn.q_proj"),
    ("attention.query_latent_norm", "model.layers.#.self_attn.q_a_layernorm"),
    ("attention.key_turned", Joint),
    ("attention.latent", Joint),
    ("attention.latent_norm", "model.layers.#.self_attn.kv_a_layernorm"),
    ("attention.query_to_latent", KeysAndValues),
    ("attention.value", KeysAndValues),
    ("feed_forward.router", "model.layers.#.mlp.gate"),
    ("feed_forward.shared.gate", "model.layers.#.mlp.shared_experts.gate_proj"),
    ("feed_forward.shared.up", "model.layers.#.mlp.shared_experts.up_proj"),
    ("feed_forward.shared.down", "model.layers.#.mlp.shared_experts.down_proj"))
{
    private const string Joint = "model.layers.#.self_attn.kv_a_proj_with_mqa";
    private const string KeysAndValues = "model.layers.#.self_attn.kv_b_proj";
    private const string Third = "DeepseekV3ForCausalLM";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["DeepseekV2ForCausalLM", Third];

    /// <inheritdoc/>
    public override FamilyCard Card => new(
        "DeepSeek-V2 and V2-Lite (arXiv 2405.04434), DeepSeek-Coder-V2 (arXiv 2406.11931), DeepSeek-V3 (arXiv 2412.19437), DeepSeek-R1 (arXiv 2501.12948)",
        "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        if (!config.Bool("rope_interleave", true))
            throw config.Error("'rope_interleave' false is not supported");
        var isThird = config.Strings("architectures").Contains(Third);
        var bias = config.Bool("attention_bias", false);
        var turned = config.Int("qk_rope_head_dim", 64);
        var plain = config.Int("qk_nope_head_dim", 128);
        var latent = new LatentDescription
        {
            Rank = config.Int("kv_lora_rank", 512),
            QueryRank = config.IsNull("q_lora_rank") ? null : config.Int("q_lora_rank", 1536),
            PlainSize = plain,
            ValueSize = config.Int("v_head_dim", 128),
            // Those norms are made without the config's epsilon.
            Norm = new() { Kind = NormKind.Rms, Epsilon = 1e-6f },
        };
        var model = Describe(config, new(ContextLength: isThird ? 4096 : 2048, KeyValueHeads: null) { HeadSize = turned }, bias, bias, _ => null);
        model = WithLayers(model, (layer, _) => layer with
        {
            Attention = layer.Attention! with
            {
                KeyValueHeads = 1,
                HeadSize = turned + latent.Rank,
                Scale = (float)(ScoreFactor(config) / Math.Sqrt(turned + plain)),
                Rotary = layer.Attention.Rotary! with { Size = turned },
                Latent = latent,
            },
        });
        if (!config.Has("n_routed_experts"))
            return model;
        var size = config.Int("moe_intermediate_size", isThird ? 2048 : 1407);
        return AfterDense(config, model, Experts(config, size, isThird), size, first: 0);
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        if (!requirement.Name.Contains(".attention.", StringComparison.Ordinal))
            return base.Source(requirement, model, shelf);
        var attention = model.Layers[LayerOf(requirement.Name)].Attention!;
        var latent = attention.Latent!;
        var (heads, plain, turned) = (attention.QueryHeads, latent.PlainSize, attention.HeadSize - latent.Rank);
        var module = ModuleOf(requirement.Name);
        if (module is "attention.query" or "attention.query_turned")
        {
            var source = SourceName(requirement.Name);
            if (latent.QueryRank is not null)
                source = source.Replace("q_proj", "q_b_proj", StringComparison.Ordinal);
            var rows = OfRows(shelf.Take(source), heads * (plain + turned)).Split(0, plain + turned);
            return module == "attention.query" ? new(rows.Narrow(1, 0, plain)) : new(rows.Narrow(1, plain, turned).Split(1, 2).Transpose(1, 2));
        }

        var stored = shelf.Take(SourceName(requirement.Name));
        switch (module)
        {
            case "attention.key_turned":
                return TensorSource.FromPairs(OfRows(stored, latent.Rank + turned).Narrow(0, latent.Rank, turned), turned, turned);
            case "attention.latent":
                return new(OfRows(stored, latent.Rank + turned).Narrow(0, 0, latent.Rank));
            case "attention.query_to_latent":
                return new(Heads().Narrow(1, 0, plain).Transpose(1, 2));
            case "attention.value":
                return new(Heads().Narrow(1, plain, latent.ValueSize));
            default:
                return new(stored);
        }

        // A head's rows for keys, then those for values.
        StoredTensor Heads() => OfRows(stored, heads * (plain + latent.ValueSize)).Split(0, plain + latent.ValueSize);
    }

    private static ExpertsDescription Experts(ConfigFile config, int size, bool isThird)
    {
        const string Biased = "noaux_tc";
        var method = config.String("topk_method") ?? (isThird ? Biased : "greedy");
        if (method is not (Biased or "greedy" or "group_limited_greedy"))
            throw config.Error($"the routing '{method}' is not supported; supported are greedy, group_limited_greedy, {Biased}");
        var scoring = config.String("scoring_func") ?? (isThird ? "sigmoid" : "softmax");
        if (scoring is not ("softmax" or "sigmoid"))
            throw config.Error($"'scoring_func' must be softmax or sigmoid, not '{scoring}'");
        // V2's release scales what it does not divide by the sum; V3's does both.
        var experts = BiasedExperts(config, size, isThird ? 8 : null, isThird, isThird ? 2.5 : 1);
        return experts with
        {
            Score = scoring == "sigmoid" ? RouterScore.Sigmoid : RouterScore.Softmax,
            SelectionBias = method == Biased,
            Groups = method == "greedy" ? null : experts.Groups is { } groups && method != Biased ? groups with { Leading = 1 } : experts.Groups,
            Scale = experts.Normalized && method != Biased ? null : experts.Scale,
        };
    }

    // YaRN's attention temperature, which DeepSeek puts on the scores: (0.1 · m · ln(factor) + 1)² (arXiv 2309.00071, equation 22).
    private static double ScoreFactor(ConfigFile config)
    {
        var scaling = RotaryConfig.Parameters(config);
        var factor = scaling is null || RotaryConfig.Kind(scaling) is null or "default" ? 1 : scaling.Double("factor", 1);
        if (factor <= 1)
            return 1;
        var m = (0.1 * scaling!.Double("mscale_all_dim", 0) * Math.Log(factor)) + 1;
        return m * m;
    }
}
