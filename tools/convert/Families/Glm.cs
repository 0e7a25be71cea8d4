using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// GLM from 2B to 10B: a prefix decoder like GPT-2 with a second table of positions, for those in the span (Du et al. 2021, arXiv 2103.10360; the
/// releases' modeling_glm.py).
/// </summary>
internal sealed class Glm : ModuleFamily
{
    private static readonly string[] Blanks = ["[MASK]", "[sMASK]", "[gMASK]"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GLMModel", "GLMForConditionalGeneration"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("GLM 2B and 10B (arXiv 2103.10360)", "byte-level BPE; SentencePiece Unigram (Chinese)");

    /// <inheritdoc/>
    public override string Prefix => "glm.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "glm.word_embeddings",
        ["positions"] = "glm.transformer.position_embeddings",
        ["span_positions"] = "glm.transformer.block_position_embeddings",
        ["attention_norm"] = "glm.transformer.layers.#.input_layernorm",
        ["attention.query"] = "glm.transformer.layers.#.attention.query_key_value",
        ["attention.key"] = "glm.transformer.layers.#.attention.query_key_value",
        ["attention.value"] = "glm.transformer.layers.#.attention.query_key_value",
        ["attention.output"] = "glm.transformer.layers.#.attention.dense",
        ["feed_forward_norm"] = "glm.transformer.layers.#.post_attention_layernorm",
        ["feed_forward.up"] = "glm.transformer.layers.#.mlp.dense_h_to_4h",
        ["feed_forward.down"] = "glm.transformer.layers.#.mlp.dense_4h_to_h",
        ["final_norm"] = "glm.transformer.final_layernorm",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        ConfigParts.RefuseTrue(config, "relative_encoding");
        if (!config.Bool("block_position_encoding", true) || !config.Bool("output_predict", true))
            throw config.Error("'block_position_encoding' and 'output_predict' false are not supported");
        var hidden = config.Int("hidden_size");
        var heads = config.Int("num_attention_heads");
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var norm = ConfigParts.LayerNorm(config, "layernorm_epsilon");
        var context = config.Length("max_sequence_length", 1024);
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new() { QueryHeads = heads, KeyValueHeads = heads, HeadSize = size, Scale = ConfigParts.Scale(size), InputBias = true, OutputBias = true },
            FeedForwardNorm = norm,
            FeedForward = new() { Plain = true, IntermediateSize = 4 * hidden, Activation = Activation.GeluTanh, Bias = true },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Embedding = new() { Positions = context + 1, SpanPositions = context + 1 },
            Prefix = ReadPrefix(AddedTokens(config)),
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, "num_layers"))],
            FinalNorm = norm,
            Head = new() { Tied = true },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => FromFused(requirement, model, shelf, InSequence);

    /// <inheritdoc/>
    public override int? EndOf(ConfigFile config) => AddedTokens(config).Int("<|endofpiece|>");

    // The config names no tokens. All releases have them among the tokens that were added to a vocabulary.
    private static ConfigFile AddedTokens(ConfigFile config)
    {
        const string Name = "added_tokens.json";
        return config.Beside(Name) ?? throw config.Error($"{Name} is not beside it, so the tokens of a prompt's end and blanks are unknown");
    }

    private static PrefixDescription ReadPrefix(ConfigFile tokens) => new()
    {
        EndToken = tokens.Int("<|startofpiece|>"),
        BlankTokens = [.. Blanks.Where(tokens.Has).Select(name => tokens.Int(name))],
    };
}
