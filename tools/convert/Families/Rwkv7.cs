using System.Text.Json;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>RWKV-7 "Goose" in the layout of flash-linear-attention (Peng et al. 2025, arXiv 2503.14456).</summary>
internal sealed class Rwkv7 : RecurrentLayout
{
    private const string Layer = "model.layers.#.";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["RWKV7ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("RWKV-7 World, Goose, in the layout of flash-linear-attention (arXiv 2503.14456)", "RWKV World vocabulary");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        ChatTurns.Rwkv,
    ];

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "model.embeddings",
        ["embedding_norm"] = "model.layers.0.pre_norm",
        ["attention_norm"] = Layer + "attn_norm",
        ["time_mix.receptance"] = Layer + "attn.r_proj",
        ["time_mix.key"] = Layer + "attn.k_proj",
        ["time_mix.value"] = Layer + "attn.v_proj",
        ["time_mix.decay_in"] = Layer + "attn.w_lora.lora.0",
        ["time_mix.decay_out"] = Layer + "attn.w_lora.lora.2",
        ["time_mix.value_in"] = Layer + "attn.v_lora.lora.0",
        ["time_mix.value_out"] = Layer + "attn.v_lora.lora.2",
        ["time_mix.rate_in"] = Layer + "attn.a_lora.lora.0",
        ["time_mix.rate_out"] = Layer + "attn.a_lora.lora.2",
        ["time_mix.gate_in"] = Layer + "attn.g_lora.lora.0",
        ["time_mix.gate_out"] = Layer + "attn.g_lora.lora.2",
        ["time_mix.output_norm"] = Layer + "attn.g_norm",
        ["time_mix.output"] = Layer + "attn.o_proj",
        ["feed_forward_norm"] = Layer + "ffn_norm",
        ["feed_forward.up"] = Layer + "ffn.key",
        ["feed_forward.down"] = Layer + "ffn.value",
        ["final_norm"] = "model.norm",
    };

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Tensors { get; } = new Dictionary<string, string>
    {
        ["time_mix.receptance_mix"] = Layer + "attn.x_r",
        ["time_mix.decay_mix"] = Layer + "attn.x_w",
        ["time_mix.key_mix"] = Layer + "attn.x_k",
        ["time_mix.value_mix"] = Layer + "attn.x_v",
        ["time_mix.rate_mix"] = Layer + "attn.x_a",
        ["time_mix.gate_mix"] = Layer + "attn.x_g",
        ["time_mix.key_scale"] = Layer + "attn.k_k",
        ["time_mix.key_rate"] = Layer + "attn.k_a",
        ["time_mix.first"] = Layer + "attn.r_k",
        ["feed_forward.mix"] = Layer + "ffn.x_k",
    };

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        InLayer(requirement.Name) == "time_mix.first" ? ByRows(shelf.Take(SourceName(requirement.Name))) : base.Source(requirement, model, shelf);

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        if (config.Has("attn"))
            throw config.Error("'attn', attention in some of the layers, is not supported");
        if (config.String("hidden_act") is not (null or "sqrelu" or "relu2"))
            throw config.Error($"'hidden_act' {config.String("hidden_act")} is not supported; supported is sqrelu");
        var hidden = config.Int("hidden_size");
        var widths = config.Ints("value_dim");
        if (config.Json("value_dim") is { ValueKind: JsonValueKind.Array })
            _ = ConfigParts.OfLayers(config, "value_dim", widths, ConfigParts.Layers(config, "num_hidden_layers"));
        if (widths.Any(width => width != hidden))
            throw config.Error("'value_dim' other than the hidden size is not supported");
        var heads = config.Has("head_dim") || !config.Has("num_heads") ? null : (int?)config.Int("num_heads");
        var size = heads is { } count ? ConfigParts.HeadSize(config, hidden, count) : config.Int("head_dim", 64);
        var epsilon = config.Double("norm_eps", 1e-5);
        var norm = ConfigParts.LayerNorm(epsilon) with { Bias = config.Bool("norm_bias", true) };
        var ratio = (int)(hidden * config.Double("hidden_ratio", 4));
        // What the release makes of a config that does not say: a multiple of 32 near a multiple of the hidden size's root.
        int Rank(string name, double factor) => config.Int(name, Math.Max(32, (int)Math.Round(factor * Math.Sqrt(hidden) / 32) * 32));
        var mix = new TimeMixDescription
        {
            Kind = TimeMixKind.DeltaRule,
            Width = hidden,
            HeadSize = size,
            Norm = ConfigParts.LayerNorm(size * epsilon),
            DecayRank = Rank("decay_low_rank_dim", 2.5 * size / 64),
            RateRank = Rank("a_low_rank_dim", 2.5 * size / 64),
            GateRank = Rank("gate_low_rank_dim", 5),
        };
        var valueRank = Rank("v_low_rank_dim", 1.7 * size / 64);
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = Math.Max(config.Length("max_position_embeddings", 2048), LongContext),
            Embedding = config.Bool("norm_first", true) ? new() { Norm = norm } : null,
            Layers = [.. Enumerable.Range(0, ConfigParts.Layers(config, "num_hidden_layers")).Select(i => new LayerDescription
            {
                AttentionNorm = norm,
                TimeMix = mix with { ValueRank = i == 0 ? 0 : valueRank },
                FeedForwardNorm = norm,
                FeedForward = new()
                {
                    Plain = true,
                    IntermediateSize = config.Int("intermediate_size", (ratio + 31) / 32 * 32),
                    Activation = Activation.ReluSquared,
                    TokenShift = true,
                },
            })],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", false) },
        };
    }
}
