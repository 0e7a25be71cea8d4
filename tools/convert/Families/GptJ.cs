using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>GPT-J: both branches read one norm, part of each head turns in pairs of neighbours, the head has a bias (Wang and Komatsuzaki 2021).</summary>
internal sealed class GptJ : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GPTJForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("GPT-J 6B (Wang and Komatsuzaki 2021), GPT4All-J, Dolly 1", "byte-level BPE");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // Dolly 1's generation.py.
        ChatTurns.Instruction("dolly-1"),
    ];

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.wte",
        ["attention_norm"] = "transformer.h.#.ln_1",
        ["attention.query"] = "transformer.h.#.attn.q_proj",
        ["attention.key"] = "transformer.h.#.attn.k_proj",
        ["attention.value"] = "transformer.h.#.attn.v_proj",
        ["attention.output"] = "transformer.h.#.attn.out_proj",
        ["feed_forward.up"] = "transformer.h.#.mlp.fc_in",
        ["feed_forward.down"] = "transformer.h.#.mlp.fc_out",
        ["final_norm"] = "transformer.ln_f",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => DescribeTurned(config);

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        FromPairs(shelf.Take(SourceName(requirement.Name)), requirement, model);

    /// <summary>The model, which CodeGen shares.</summary>
    internal static ModelDescription DescribeTurned(ConfigFile config)
    {
        var hidden = config.Int(ConfigParts.Spelling(config, "n_embd", "hidden_size"));
        var heads = config.Int(ConfigParts.Spelling(config, "n_head", "num_attention_heads"));
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_epsilon");
        // Without it the reference makes a table as wide as the hidden size, which fits no head.
        if (config.IsNull("rotary_dim"))
            throw config.Error("'rotary_dim' null is not supported");
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = heads,
                HeadSize = size,
                Scale = ConfigParts.Scale(size),
                Rotary = new() { Size = config.Int("rotary_dim", 64), Theta = 10000 },
            },
            Parallel = true,
            FeedForward = new()
            {
                Plain = true,
                IntermediateSize = config.Int("n_inner", 4 * hidden),
                Activation = ConfigParts.Activation(config, "activation_function", "gelu_new"),
                Bias = true,
            },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = config.Int(ConfigParts.Spelling(config, "n_positions", "max_position_embeddings"), 2048),
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, ConfigParts.Spelling(config, "n_layer", "num_hidden_layers")))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", false), Bias = true },
        };
    }
}
