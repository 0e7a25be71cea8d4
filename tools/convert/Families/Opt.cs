using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>OPT and Galactica: learned positions after two unused rows; OPT-350M has norms after the sums and a narrower embedding
/// (Zhang et al. 2022, arXiv 2205.01068; Taylor et al. 2022, arXiv 2211.09085).</summary>
internal sealed class Opt : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["OPTForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("OPT (arXiv 2205.01068), OPT-IML (arXiv 2212.12017), Galactica (arXiv 2211.09085)", "byte-level BPE");

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "model.decoder.embed_tokens",
        ["embedding_projection"] = "model.decoder.project_in",
        ["positions"] = "model.decoder.embed_positions",
        ["attention_norm"] = "model.decoder.layers.#.self_attn_layer_norm",
        ["attention_sum_norm"] = "model.decoder.layers.#.self_attn_layer_norm",
        ["attention.query"] = "model.decoder.layers.#.self_attn.q_proj",
        ["attention.key"] = "model.decoder.layers.#.self_attn.k_proj",
        ["attention.value"] = "model.decoder.layers.#.self_attn.v_proj",
        ["attention.output"] = "model.decoder.layers.#.self_attn.out_proj",
        ["feed_forward_norm"] = "model.decoder.layers.#.final_layer_norm",
        ["feed_forward_sum_norm"] = "model.decoder.layers.#.final_layer_norm",
        ["feed_forward.up"] = "model.decoder.layers.#.fc1",
        ["feed_forward.down"] = "model.decoder.layers.#.fc2",
        ["final_norm"] = "model.decoder.final_layer_norm",
        ["head_projection"] = "model.decoder.project_out",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var hidden = config.Int("hidden_size");
        var heads = config.Int("num_attention_heads");
        var size = ConfigParts.HeadSize(config, hidden, heads);
        var context = config.Length("max_position_embeddings", 2048);
        var width = config.Int("word_embed_proj_dim", hidden);
        var bias = config.Bool("enable_bias", true);
        var norm = config.Bool("layer_norm_elementwise_affine", true)
            ? ConfigParts.LayerNorm(1e-5)
            : new() { Kind = NormKind.Layer, Epsilon = 1e-5f, Weightless = true };
        var (before, after) = config.Bool("do_layer_norm_before", true) ? (norm, (NormDescription?)null) : (null, norm);
        var layer = new LayerDescription
        {
            AttentionNorm = before,
            Attention = new() { QueryHeads = heads, KeyValueHeads = heads, HeadSize = size, Scale = ConfigParts.Scale(size), InputBias = bias, OutputBias = bias },
            AttentionSumNorm = after,
            FeedForwardNorm = before,
            FeedForward = new()
            {
                Plain = true,
                IntermediateSize = config.Int("ffn_dim"),
                Activation = ConfigParts.Activation(config, "activation_function", "relu"),
                Bias = bias,
            },
            FeedForwardSumNorm = after,
        };
        return new()
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Embedding = new() { Width = width == hidden ? null : width, Positions = context },
            Layers = [.. Enumerable.Repeat(layer, ConfigParts.Layers(config, "num_hidden_layers"))],
            FinalNorm = config.Bool("_remove_final_layer_norm", false) ? null : before,
            Head = new() { Tied = config.Bool("tie_word_embeddings", true) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var stored = shelf.Take(SourceName(requirement.Name));
        return new(requirement.Name == TensorSchema.Positions ? AfterPadding(stored, requirement.Shape[0]) : stored);
    }
}
