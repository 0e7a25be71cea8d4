using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Command R7B and A: Command R with windows in three layers of four, and in the fourth neither a window nor positions (Cohere 2025, arXiv 2504.00698).</summary>
internal sealed class Cohere2 : LlamaLayout
{
    private const int Pattern = 4;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Cohere2ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Command R7B and A (arXiv 2504.00698)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var pattern = ConfigParts.Positive(config, "sliding_window_pattern", Pattern);
        var window = LayerWindows.Mixed(config, layer => (layer + 1) % pattern != 0);
        var bias = config.Bool("attention_bias", false);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_eps") with { Bias = false };
        var model = Describe(config, new(ContextLength: 8192, KeyValueHeads: null) { Norm = norm, Tied = true }, bias, bias, window);
        return WithLayers(model, (layer, _) => layer with
        {
            Attention = layer.Attention!.Window is null ? layer.Attention with { Rotary = null } : layer.Attention,
            Parallel = true,
            FeedForwardNorm = null,
        }) with
        {
            Head = model.Head with { Scale = (float)config.Double("logit_scale", 0.0625) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        FromPairs(Rows(requirement, model, shelf), requirement, model);
}
