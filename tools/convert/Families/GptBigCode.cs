using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>SantaCoder, StarCoder, StarCoderBase: GPT-2 with one key/value head (Li et al. 2023, arXiv 2305.06161).</summary>
internal sealed class GptBigCode : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GPTBigCodeForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("SantaCoder in transformers' layout (arXiv 2301.03988), StarCoder (arXiv 2305.06161)", "byte-level BPE");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // StarChat's dialogues.py. Base models lack these tokens.
        new("starchat", """
            {{- '<|system|>\n' ~ (messages[0].content if messages[0].role == 'system' else '') ~ '<|end|>\n' }}
            {%- for m in messages if m.role != 'system' %}{{ '<|' ~ m.role ~ '|>\n' ~ m.content ~ '<|end|>\n' }}{% endfor %}
            {%- if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}
            """) { StopTokens = ["<|end|>"], IsCertain = evidence => evidence.HasToken("<|user|>") && evidence.HasToken("<|end|>") },
    ];

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules => Gpt2.Names;

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        ConfigParts.RefuseTrue(config, "add_cross_attention");
        var hidden = config.Int(ConfigParts.Spelling(config, "n_embd", "hidden_size"));
        var heads = config.Int(ConfigParts.Spelling(config, "n_head", "num_attention_heads"));
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var context = config.Int(ConfigParts.Spelling(config, "n_positions", "max_position_embeddings"), 1024);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_epsilon");
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = config.Bool("multi_query", true) ? 1 : heads,
                HeadSize = size,
                Scale = config.Bool("scale_attn_weights", true) ? ConfigParts.Scale(size) : 1,
                InputBias = true,
                OutputBias = true,
            },
            FeedForwardNorm = norm,
            FeedForward = new()
            {
                Plain = true,
                IntermediateSize = config.Int("n_inner", 4 * hidden),
                Activation = ConfigParts.Activation(config, "activation_function", "gelu_pytorch_tanh"),
                Bias = true,
            },
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Embedding = new() { Positions = context },
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, ConfigParts.Spelling(config, "n_layer", "num_hidden_layers")))],
            FinalNorm = norm,
            Head = new() { Tied = config.Bool("tie_word_embeddings", true) },
        };
    }

    /// <inheritdoc/>
    /// <remarks>[q; k; v] with one key/value head, head by head with many: in both cases groups, of all heads or of one.</remarks>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => FromFused(requirement, model, shelf, InGroups);
}
