using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// GPT-NeoX 20B, Pythia, Dolly, StableLM-Alpha, RedPajama, …: parallel branches with a norm each, part of a head turning
/// (Black et al. 2022, arXiv 2204.06745; Biderman et al. 2023, arXiv 2304.01373).
/// </summary>
internal sealed class GptNeoX : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GPTNeoXForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new(
        "GPT-NeoX 20B (arXiv 2204.06745), Pythia (arXiv 2304.01373), OpenAssistant on Pythia (arXiv 2304.07327), Dolly 2, StableLM-Alpha, " +
        "RedPajama-INCITE (releases, 2023)",
        "byte-level BPE");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // Dolly 2's instruct_pipeline.py. '### End' is a token of it alone.
        ChatTurns.Instruction("dolly-2", end: "### End") with { StopTokens = ["### End"], IsCertain = evidence => evidence.HasToken("### End") },
        // OpenAssistant's model cards of its Pythia models, which alone have these tokens.
        ChatTurns.Tokens("open-assistant", "<|prompter|>", "<|assistant|>", end: "<|endoftext|>", system: "<|system|>")
            with { IsCertain = evidence => evidence.HasToken("<|prompter|>") && evidence.HasToken("<|assistant|>") },
        // StableLM-Tuned-Alpha's model card.
        ChatTurns.Tokens("stablelm-tuned", "<|USER|>", "<|ASSISTANT|>", system: "<|SYSTEM|>", said: """
            # StableLM Tuned (Alpha version)
            - StableLM is a helpful and harmless open-source AI language model developed by StabilityAI.
            - StableLM is excited to be able to help the user, but will refuse to do anything that could be considered harmful to the user.
            - StableLM is more than just an information source, StableLM is also able to write poetry, short stories, and make jokes.
            - StableLM will refuse to participate in anything that could harm a human.

            """) with { StopTokens = ["<|USER|>", "<|ASSISTANT|>", "<|SYSTEM|>"] },
        // RedPajama-INCITE-Chat's model card.
        ChatTurns.Colon("redpajama", "<human>", "<bot>", "\n", systemEnd: "\n") with { StopStrings = ["<human>"] },
    ];

    /// <inheritdoc/>
    public override string Prefix => "gpt_neox.";

    /// <inheritdoc/>
    protected override string HeadModule => "embed_out";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "gpt_neox.embed_in",
        ["attention_norm"] = "gpt_neox.layers.#.input_layernorm",
        ["attention.query"] = "gpt_neox.layers.#.attention.query_key_value",
        ["attention.key"] = "gpt_neox.layers.#.attention.query_key_value",
        ["attention.value"] = "gpt_neox.layers.#.attention.query_key_value",
        ["attention.output"] = "gpt_neox.layers.#.attention.dense",
        ["feed_forward_norm"] = "gpt_neox.layers.#.post_attention_layernorm",
        ["feed_forward.up"] = "gpt_neox.layers.#.mlp.dense_h_to_4h",
        ["feed_forward.down"] = "gpt_neox.layers.#.mlp.dense_4h_to_h",
        ["final_norm"] = "gpt_neox.final_layer_norm",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var hidden = config.Int("hidden_size");
        var heads = config.Int("num_attention_heads");
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var context = config.Length("max_position_embeddings", 2048);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_eps");
        var bias = config.Bool("attention_bias", true);
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = heads,
                HeadSize = size,
                Scale = ConfigParts.Scale(size),
                InputBias = bias,
                OutputBias = bias,
                Rotary = RotaryConfig.ReadPartial(config, context, size, defaultPart: 0.25, "rotary_pct", "rotary_emb_base"),
            },
            Parallel = config.Bool("use_parallel_residual", true),
            FeedForwardNorm = norm,
            FeedForward = new()
            {
                Plain = true,
                IntermediateSize = config.Int("intermediate_size"),
                Activation = ConfigParts.Activation(config, "hidden_act", "gelu"),
                Bias = true,
            },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, "num_hidden_layers"))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", false) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => FromFused(requirement, model, shelf, InGroups);
}
