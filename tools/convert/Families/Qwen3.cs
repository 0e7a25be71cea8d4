using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Qwen3: Qwen2 without its biases, with a norm of each query and key head (Qwen team 2025, arXiv 2505.09388).</summary>
internal sealed class Qwen3 : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Qwen3ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Qwen3 (arXiv 2505.09388)", "byte-level BPE");

    /// <inheritdoc/>
    public override GgufForm Gguf { get; } = new("qwen3");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        var model = Describe(config, new(ContextLength: 32768, KeyValueHeads: 32) { HeadSize = 128 }, bias, bias, LayerWindows.Switched(config));
        return WithLayers(model, (layer, _) => layer with
        {
            Attention = layer.Attention! with { QueryKeyNorm = new() { Norm = layer.AttentionNorm! } },
        });
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        TensorSource.Repeated(Rows(requirement, model, shelf), HeadsOf(requirement.Name, model));
}
