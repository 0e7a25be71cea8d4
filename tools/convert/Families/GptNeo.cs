using System.Text.Json;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>GPT-Neo: GPT-2 with local windows in every other layer and scores that are not scaled (Black et al. 2021, EleutherAI release).</summary>
internal sealed class GptNeo : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GPTNeoForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("GPT-Neo (Black et al. 2021)", "byte-level BPE");

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.wte",
        ["positions"] = "transformer.wpe",
        ["attention_norm"] = "transformer.h.#.ln_1",
        ["attention.query"] = "transformer.h.#.attn.attention.q_proj",
        ["attention.key"] = "transformer.h.#.attn.attention.k_proj",
        ["attention.value"] = "transformer.h.#.attn.attention.v_proj",
        ["attention.output"] = "transformer.h.#.attn.attention.out_proj",
        ["feed_forward_norm"] = "transformer.h.#.ln_2",
        ["feed_forward.up"] = "transformer.h.#.mlp.c_fc",
        ["feed_forward.down"] = "transformer.h.#.mlp.c_proj",
        ["final_norm"] = "transformer.ln_f",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var hidden = config.Int("hidden_size");
        var heads = config.Int(ConfigParts.Spelling(config, "num_heads", "num_attention_heads"));
        var context = config.Length("max_position_embeddings", 2048);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_epsilon");
        var attention = new AttentionDescription
        {
            QueryHeads = heads,
            KeyValueHeads = heads,
            HeadSize = ConfigParts.HeadSize(config, hidden, heads),
            Scale = 1,
            OutputBias = true,
        };
        var window = config.Int("window_size", 256);
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Embedding = new() { Positions = context },
            Layers = [.. Locality(config).Select(isLocal => new LayerDescription
            {
                AttentionNorm = norm,
                Attention = attention with { Window = isLocal ? window : null },
                FeedForwardNorm = norm,
                FeedForward = new()
                {
                    Plain = true,
                    IntermediateSize = config.Int("intermediate_size", 4 * hidden),
                    Activation = ConfigParts.Activation(config, "activation_function", "gelu_new"),
                    Bias = true,
                },
            })],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", true) },
        };
    }

    /// <summary>Which layers are local: listed one by one, or as patterns with a count each.</summary>
    private static IReadOnlyList<bool> Locality(ConfigFile config)
    {
        var layers = ConfigParts.Layers(config, ConfigParts.Spelling(config, "num_layers", "num_hidden_layers"));
        var kinds = config.Strings("attention_layers");
        if (config.Json("attention_types") is { } patterns)
        {
            var expanded = Expand(config, patterns, layers);
            if (kinds.Count > 0 && !kinds.SequenceEqual(expanded))
                throw config.Error("'attention_layers' and 'attention_types' describe different layers");
            kinds = expanded;
        }

        if (kinds.Count == 0)
            kinds = [.. Enumerable.Range(0, layers).Select(i => i % 2 == 0 ? "global" : "local")];
        if (kinds.Count != layers)
            throw config.Error($"'attention_layers' and 'attention_types' describe {kinds.Count} layers, but there are {layers}");
        return [.. kinds.Select(kind => kind switch
        {
            "global" => false,
            "local" => true,
            _ => throw config.Error($"the attention '{kind}' is not supported; supported are global, local"),
        })];
    }

    /// <summary>[[["global", "local"], 12], …] written out.</summary>
    private static List<string> Expand(ConfigFile config, JsonElement patterns, int layers)
    {
        var kinds = new List<string>();
        if (patterns.ValueKind != JsonValueKind.Array)
            throw Wrong();
        foreach (var item in patterns.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Array || item.GetArrayLength() != 2 || item[0].ValueKind != JsonValueKind.Array
                || item[1].ValueKind != JsonValueKind.Number || !item[1].TryGetInt32(out var times) || times > layers
                || item[0].EnumerateArray().Any(kind => kind.ValueKind != JsonValueKind.String))
                throw Wrong();
            for (var i = 0; i < times; i++)
                kinds.AddRange(item[0].EnumerateArray().Select(kind => kind.GetString()!));
        }

        return kinds;

        WeftException Wrong() => config.Error("'attention_types' must be a list of pairs of a list of texts and a count of at most the layers");
    }
}
