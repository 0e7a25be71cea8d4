using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What Gemma's generations share: norms with weights 1 + w, a scaled embedding that is the head too, heads of their own size.</summary>
/// <param name="others">Modules that have another name than LLaMA's.</param>
internal abstract class GemmaLayout(params IEnumerable<(string Packed, string Source)> others) : LlamaLayout(others)
{
    /// <summary>What GGUF files of any generation leave out. Activations are too large for f16.</summary>
    protected static IReadOnlyList<(string Member, object Value)> GgufConstants { get; } = [("hidden_activation", "gelu_pytorch_tanh"), ("torch_dtype", "bfloat16")];

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
