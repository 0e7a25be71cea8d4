using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// What GLM-130B and ChatGLM-6B share: each branch is added to α times what it read, which is normed (DeepNorm; Wang et al. 2022, arXiv 2203.00555). That
/// is a norm of every sum: of the embedding the first layer's first norm, of a layer's feed-forward the next layer's, and at last the final one.
/// </summary>
internal abstract class DeepNormLayout : ModuleFamily
{
    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.word_embeddings",
        ["embedding_norm"] = "transformer.layers.0.input_layernorm",
        ["attention.query"] = "transformer.layers.#.attention.query_key_value",
        ["attention.key"] = "transformer.layers.#.attention.query_key_value",
        ["attention.value"] = "transformer.layers.#.attention.query_key_value",
        ["attention.output"] = "transformer.layers.#.attention.dense",
        ["attention_sum_norm"] = "transformer.layers.#.post_attention_layernorm",
        ["feed_forward.gate"] = "transformer.layers.#.mlp.dense_h_to_4h",
        ["feed_forward.up"] = "transformer.layers.#.mlp.dense_h_to_4h",
        ["feed_forward.down"] = "transformer.layers.#.mlp.dense_4h_to_h",
    };

    /// <summary>The checkpoint's name of a packed tensor.</summary>
    protected string SourceName(string packedName, ModelDescription model)
    {
        if (ModuleOf(packedName) != "feed_forward_sum_norm")
            return SourceName(packedName);
        var next = LayerOf(packedName) + 1;
        var module = next < model.Layers.Count ? $"transformer.layers.{next}.input_layernorm" : "transformer.final_layernorm";
        return $"{module}.{packedName[(packedName.LastIndexOf('.') + 1)..]}";
    }

    /// <summary>Describes a model whose layers are all alike.</summary>
    /// <param name="config">The config.</param>
    /// <param name="alphaLayers">Layers that α counts.</param>
    /// <param name="rotary">What turns.</param>
    /// <param name="feedForward">The feed-forward block.</param>
    /// <param name="prefix">Which tokens see each other.</param>
    /// <param name="tied">The head is the embedding.</param>
    protected static ModelDescription Describe(
        ConfigFile config, int alphaLayers, RotaryDescription rotary, FeedForwardDescription feedForward, PrefixDescription prefix, bool tied)
    {
        var hidden = config.Int("hidden_size");
        var heads = config.Int("num_attention_heads");
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var norm = ConfigParts.LayerNorm(config, "layernorm_epsilon");
        var layer = new LayerDescription
        {
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = heads,
                HeadSize = size,
                // Queries are divided by the layer's number and scores multiplied by it: in 16 bits a difference, in numbers none.
                Scale = ConfigParts.Scale(size),
                InputBias = true,
                OutputBias = true,
                Rotary = rotary,
            },
            AttentionSumNorm = norm,
            FeedForward = feedForward,
            FeedForwardSumNorm = norm,
            ResidualScale = (float)Math.Sqrt(2 * alphaLayers),
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = config.Length("max_sequence_length", 2048),
            Embedding = new() { Norm = norm },
            Prefix = prefix,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, "num_layers"))],
            Head = new() { Tied = tied },
        };
    }
}
