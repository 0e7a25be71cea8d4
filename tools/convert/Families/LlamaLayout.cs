using System.Text.RegularExpressions;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What the families of the LLaMA lineage share: the tensor names, and most of the config.</summary>
internal abstract partial class LlamaLayout : Family
{
    // From the packed file's names to the checkpoint's, longest first where one contains another.
    private static readonly (string Packed, string Source)[] Names =
    [
        ("attention.query.", "self_attn.q_proj."),
        ("attention.key.", "self_attn.k_proj."),
        ("attention.value.", "self_attn.v_proj."),
        ("attention.output.", "self_attn.o_proj."),
        ("feed_forward.", "mlp."),
        ("mlp.gate.", "mlp.gate_proj."),
        ("mlp.up.", "mlp.up_proj."),
        ("mlp.down.", "mlp.down_proj."),
    ];

    /// <summary>Values of config members that a family's own defaults decide.</summary>
    /// <param name="ContextLength">max_position_embeddings.</param>
    /// <param name="KeyValueHeads">num_key_value_heads; null for as many as query heads.</param>
    /// <param name="RotaryBase">rope_theta.</param>
    protected sealed record Defaults(int ContextLength, int? KeyValueHeads, double RotaryBase = 10000);

    /// <summary>Name of the norm before attention in a layer.</summary>
    protected virtual string AttentionNorm => "input_layernorm";

    /// <summary>Name of the norm before the feed-forward block in a layer.</summary>
    protected virtual string FeedForwardNorm => "post_attention_layernorm";

    /// <inheritdoc/>
    public override string SourceName(string packedName) => packedName switch
    {
        TensorSchema.Embedding => "model.embed_tokens.weight",
        TensorSchema.FinalNorm => "model.norm.weight",
        TensorSchema.Head => "lm_head.weight",
        _ => "model." + Names.Aggregate(
            packedName
                .Replace("attention_norm", AttentionNorm, StringComparison.Ordinal)
                .Replace("feed_forward_norm", FeedForwardNorm, StringComparison.Ordinal),
            (name, pair) => name.Replace(pair.Packed, pair.Source, StringComparison.Ordinal)),
    };

    /// <inheritdoc/>
    public override bool IsIgnored(string sourceName, ModelDescription model) => Buffers().IsMatch(sourceName);

    /// <inheritdoc/>
    public override string? CopyOf(string sourceName, ModelDescription model) =>
        model.Head.Tied && sourceName == "lm_head.weight" ? TensorSchema.Embedding : null;

    /// <summary>Describes a model whose layers are all alike.</summary>
    protected static ModelDescription Describe(ConfigFile config, Defaults defaults, bool inputBias, bool outputBias, Func<int, int?> window)
    {
        if (config.Double("partial_rotary_factor", 1) != 1)
            throw config.Error("'partial_rotary_factor' other than 1 is not supported");
        var heads = config.Int("num_attention_heads");
        var hidden = config.Int("hidden_size");
        if (heads < 1 || (!config.Has("head_dim") && hidden % heads != 0))
            throw config.Error($"{heads} attention heads do not divide a hidden size of {hidden}");
        var layers = ConfigParts.Layers(config, "num_hidden_layers");
        var headSize = config.Int("head_dim", hidden / heads);
        var context = config.Int("max_position_embeddings", defaults.ContextLength);
        var norm = new NormDescription { Kind = NormKind.Rms, Epsilon = (float)config.Double("rms_norm_eps", 1e-6) };
        var attention = new AttentionDescription
        {
            QueryHeads = heads,
            KeyValueHeads = config.Int("num_key_value_heads", defaults.KeyValueHeads ?? heads),
            HeadSize = headSize,
            Scale = (float)(1 / Math.Sqrt(headSize)),
            InputBias = inputBias,
            OutputBias = outputBias,
            Rotary = RotaryConfig.Read(config, context, defaults.RotaryBase),
        };
        var feedForward = new FeedForwardDescription
        {
            IntermediateSize = config.Int("intermediate_size"),
            Activation = ConfigParts.Activation(config, "hidden_act", "silu"),
            Bias = config.Bool("mlp_bias", false),
        };
        return new ModelDescription
        {
            VocabularySize = config.Int("vocab_size"),
            HiddenSize = hidden,
            ContextLength = context,
            Layers = [.. Enumerable.Range(0, layers).Select(i => new LayerDescription
            {
                AttentionNorm = norm,
                Attention = attention with { Window = window(i) },
                FeedForwardNorm = norm,
                FeedForward = feedForward,
            })],
            FinalNorm = norm,
            Head = new HeadDescription { Tied = config.Bool("tie_word_embeddings", false) },
        };
    }

    // Tables and masks that older versions of the reference implementation stored beside the weights.
    [GeneratedRegex(@"(^|\.)(rotary_emb\.(inv_freq|cos_cached|sin_cached)|masked_bias|attn\.bias|position_ids)$")]
    private static partial Regex Buffers();
}
