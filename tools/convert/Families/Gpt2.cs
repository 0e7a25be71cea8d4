using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>GPT-2: pre-norm with LayerNorm, learned positions, matrices stored [in, out] (Radford et al. 2019).</summary>
internal sealed class Gpt2 : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GPT2LMHeadModel"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("GPT-2 (Radford et al. 2019), DialoGPT (arXiv 1911.00536), Cerebras-GPT (arXiv 2304.03208)", "byte-level BPE");

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <summary>GPT-2's modules, which its descendants took over.</summary>
    public static IReadOnlyDictionary<string, string> Names { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.wte",
        ["positions"] = "transformer.wpe",
        ["attention_norm"] = "transformer.h.#.ln_1",
        ["attention.query"] = "transformer.h.#.attn.c_attn",
        ["attention.key"] = "transformer.h.#.attn.c_attn",
        ["attention.value"] = "transformer.h.#.attn.c_attn",
        ["attention.output"] = "transformer.h.#.attn.c_proj",
        ["feed_forward_norm"] = "transformer.h.#.ln_2",
        ["feed_forward.up"] = "transformer.h.#.mlp.c_fc",
        ["feed_forward.down"] = "transformer.h.#.mlp.c_proj",
        ["final_norm"] = "transformer.ln_f",
    };

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules => Names;

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => DescribePositioned(config);

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => FromColumns(requirement, model, shelf, InSequence);

    /// <summary>The model, which SantaCoder shares.</summary>
    internal static ModelDescription DescribePositioned(ConfigFile config)
    {
        ConfigParts.RefuseTrue(config, "add_cross_attention");
        var hidden = config.Int(ConfigParts.Spelling(config, "n_embd", "hidden_size"));
        var heads = config.Int(ConfigParts.Spelling(config, "n_head", "num_attention_heads"));
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var context = config.Int(ConfigParts.Spelling(config, "n_positions", "max_position_embeddings"), 1024);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_epsilon");
        float Scale(int layer) => (config.Bool("scale_attn_weights", true) ? ConfigParts.Scale(size) : 1)
            / (config.Bool("scale_attn_by_inverse_layer_idx", false) ? layer + 1 : 1);
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Embedding = new() { Positions = context },
            Layers = [.. Enumerable.Range(0, ConfigParts.Layers(config, ConfigParts.Spelling(config, "n_layer", "num_hidden_layers"))).Select(i => new LayerDescription
            {
                AttentionNorm = norm,
                Attention = new() { QueryHeads = heads, KeyValueHeads = heads, HeadSize = size, Scale = Scale(i), InputBias = true, OutputBias = true },
                FeedForwardNorm = norm,
                FeedForward = new()
                {
                    Plain = true,
                    IntermediateSize = config.Int("n_inner", 4 * hidden),
                    Activation = ConfigParts.Activation(config, "activation_function", "gelu_new"),
                    Bias = true,
                },
            })],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", true) },
        };
    }
}
