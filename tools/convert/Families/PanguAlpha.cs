using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// PanGu-α: GPT-2's layers, a norm of what they give, and a last layer that asks with a learned query a position (Zeng et al. 2021, arXiv 2104.12369; the
/// modeling_gptpangu.py beside its conversions for transformers).
/// </summary>
internal sealed class PanguAlpha : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GPTPanguForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("PanGu-α 350M, 2.6B and 13B (arXiv 2104.12369)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.wte",
        ["positions"] = "transformer.wpe",
        ["query_positions"] = "transformer.wqe",
        ["attention_norm"] = "transformer.h.#.ln_1",
        ["attention.query"] = "transformer.h.#.attn.q_proj",
        ["attention.key"] = "transformer.h.#.attn.k_proj",
        ["attention.value"] = "transformer.h.#.attn.v_proj",
        ["attention.output"] = "transformer.h.#.attn.c_proj",
        ["feed_forward_norm"] = "transformer.h.#.ln_2",
        ["feed_forward.up"] = "transformer.h.#.mlp.c_fc",
        ["feed_forward.down"] = "transformer.h.#.mlp.c_proj",
        ["feed_forward_sum_norm"] = "transformer.ln_f",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var hidden = config.Int("hidden_size");
        var heads = config.Int("num_heads");
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var context = config.Length("max_position_embeddings", 1024);
        var layers = ConfigParts.Layers(config, "num_layers");
        if (layers < 2)
            throw config.Error("'num_layers' must be at least 2: the last is the query layer");
        var norm = ConfigParts.LayerNorm(config, "layer_norm_epsilon");
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = heads,
                HeadSize = size,
                Scale = config.Bool("scale_attn_weights", true) ? ConfigParts.Scale(size) : 1,
                InputBias = true,
                OutputBias = true,
            },
            FeedForwardNorm = norm,
            FeedForward = new()
            {
                Plain = true,
                IntermediateSize = config.Int("intermediate_size", 4 * hidden),
                Activation = ConfigParts.Activation(config, "activation_function", "gelu"),
                Bias = true,
            },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Embedding = new() { Positions = context, QueryPositions = context },
            Layers =
            [
                .. Enumerable.Repeat(layer, layers - 2),
                layer with { FeedForwardSumNorm = norm },
                layer with { Attention = layer.Attention! with { PositionQueries = true } },
            ],
            Head = new() { Tied = config.Bool("tie_word_embeddings", true) },
        };
    }
}
