using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>The first GPT: norms after each sum, none at the end, matrices stored [in, out] (Radford et al. 2018).</summary>
internal sealed class OpenAiGpt : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["OpenAIGPTLMHeadModel"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("GPT (Radford et al. 2018)", "BPE of words");

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.tokens_embed",
        ["positions"] = "transformer.positions_embed",
        ["attention.query"] = "transformer.h.#.attn.c_attn",
        ["attention.key"] = "transformer.h.#.attn.c_attn",
        ["attention.value"] = "transformer.h.#.attn.c_attn",
        ["attention.output"] = "transformer.h.#.attn.c_proj",
        ["attention_sum_norm"] = "transformer.h.#.ln_1",
        ["feed_forward.up"] = "transformer.h.#.mlp.c_fc",
        ["feed_forward.down"] = "transformer.h.#.mlp.c_proj",
        ["feed_forward_sum_norm"] = "transformer.h.#.ln_2",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var hidden = config.Int(ConfigParts.Spelling(config, "n_embd", "hidden_size"));
        var heads = config.Int(ConfigParts.Spelling(config, "n_head", "num_attention_heads"));
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var context = config.Int(ConfigParts.Spelling(config, "n_positions", "max_position_embeddings"), 512);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_epsilon");
        var layer = new LayerDescription
        {
            Attention = new() { QueryHeads = heads, KeyValueHeads = heads, HeadSize = size, Scale = ConfigParts.Scale(size), InputBias = true, OutputBias = true },
            AttentionSumNorm = norm,
            FeedForward = new() { Plain = true, IntermediateSize = 4 * hidden, Activation = ReadActivation(config), Bias = true },
            FeedForwardSumNorm = norm,
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Embedding = new() { Positions = context },
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, ConfigParts.Spelling(config, "n_layer", "num_hidden_layers")))],
            Head = new() { Tied = config.Bool("tie_word_embeddings", true) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => FromColumns(requirement, model, shelf, InSequence);

    /// <summary>The family names few activations, and its 'gelu' is what later ones call 'gelu_new'.</summary>
    private static Activation ReadActivation(ConfigFile config) => config.String("afn") switch
    {
        null or "gelu" => Activation.GeluTanh,
        "relu" => Activation.Relu,
        "silu" or "swish" => Activation.Silu,
        var other => throw config.Error($"the activation 'afn' {other} is not supported; supported are gelu, relu, silu, swish"),
    };
}
