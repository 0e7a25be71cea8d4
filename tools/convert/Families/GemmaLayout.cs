using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What Gemma's generations share: norms with weights 1 + w, a scaled embedding that is the head too, heads of their own size.</summary>
/// <param name="others">Modules that have another name than LLaMA's.</param>
internal abstract class GemmaLayout(params IEnumerable<(string Packed, string Source)> others) : LlamaLayout(others)
{
    /// <summary>How a generation's GGUF files look.</summary>
    /// <param name="name">llama.cpp's name of it.</param>
    /// <param name="evenLayers">Layers of the model whose scores are scaled by an even share of the hidden size, or none; others' by the size of a head (llama.cpp's rule).</param>
    /// <param name="others">What else no key says.</param>
    protected static GgufForm GgufOf(string name, int? evenLayers, params IReadOnlyList<(string Member, object Value)> others) => new(name)
    {
        AddsOneToNorms = true,
        Members =
        [
            ("attn_logit_softcapping", "attn_logit_softcapping"), ("final_logit_softcapping", "final_logit_softcapping"), ("sliding_window", "attention.sliding_window"),
            ("query_pre_attn_scalar", "attention.key_length"),
        ],
        // Activations are too large for f16.
        Constants = file =>
        [
            ("hidden_activation", "gelu_pytorch_tanh"), ("torch_dtype", "bfloat16"), .. others,
            .. file.FindInteger($"{name}.block_count") is { } layers && layers == evenLayers
                && file.FindInteger($"{name}.embedding_length") is { } size && file.FindInteger($"{name}.attention.head_count") is { } heads and > 0
                ? [("query_pre_attn_scalar", size / heads)] : Array.Empty<(string, object)>(),
        ],
    };

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var rows = Rows(requirement, model, shelf);
        return ModuleOf(requirement.Name).EndsWith("norm", StringComparison.Ordinal) ? TensorSource.OnePlus(rows, HeadsOf(requirement.Name, model)) : new(rows);
    }

    /// <summary>Describes a model with the first generation's blocks.</summary>
    protected static ModelDescription DescribeGemma(ConfigFile config, Defaults defaults, Func<int, int?> window)
    {
        ConfigParts.RefuseTrue(config, "use_bidirectional_attention");
        var bias = config.Bool("attention_bias", false);
        var model = Describe(config, defaults with { HeadSize = 256, Tied = true, Activation = "gelu_pytorch_tanh" }, bias, bias, window);
        return WithLayers(model, (layer, _) => layer with { FeedForward = layer.FeedForward! with { Activation = Activation(config) } }) with
        {
            Embedding = new() { Scale = (float)Math.Sqrt(model.HiddenSize) },
        };
    }

    /// <summary>Turns it into the second generation's: norms of what the branches give, a scale of its own, caps.</summary>
    /// <param name="config">The config.</param>
    /// <param name="model">With the first generation's blocks.</param>
    /// <param name="cap">Caps of scores and logits that a member's absence means.</param>
    protected static ModelDescription Sandwich(ConfigFile config, ModelDescription model, (float? Scores, float? Logits) cap)
    {
        float? Cap(string name, float? whenMissing) => config.Has(name) || config.IsNull(name) ? ConfigParts.Optional(config, name) : whenMissing;
        return WithLayers(model, (layer, _) => layer with
        {
            Attention = layer.Attention! with
            {
                Scale = (float)(1 / Math.Sqrt(config.Double("query_pre_attn_scalar", 256))),
                SoftCap = Cap("attn_logit_softcapping", cap.Scores),
            },
            AttentionOutputNorm = layer.AttentionNorm,
            FeedForwardOutputNorm = layer.FeedForwardNorm,
        }) with
        {
            Head = model.Head with { SoftCap = Cap("final_logit_softcapping", cap.Logits) },
        };
    }

    // The first release says 'gelu' in hidden_act and means the approximation, which it was trained with.
    private static Activation Activation(ConfigFile config) => !config.Has("hidden_activation") && config.String("hidden_act") is "gelu"
        ? Models.Activation.GeluTanh
        : ConfigParts.Activation(config, config.Has("hidden_activation") ? "hidden_activation" : "hidden_act", "gelu_pytorch_tanh");
}
