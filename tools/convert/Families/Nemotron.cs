using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Nemotron-4 and Minitron: LayerNorm with weights stored less one, half of each head turning, relu² without a gate (NVIDIA 2024, arXiv 2402.16819).</summary>
internal sealed class Nemotron : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["NemotronForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Nemotron-4 (arXiv 2402.16819, 2406.11704), Minitron (arXiv 2407.14679)", "SentencePiece BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        var defaults = new Defaults(ContextLength: 4096, KeyValueHeads: null)
        {
            Norm = ConfigParts.LayerNorm(config, "norm_eps", 1e-5), TurnedPart = config.Double("rope_percent", 0.5), Activation = "relu2",
        };
        return WithLayers(Describe(config, defaults, bias, bias, _ => null), (layer, _) => layer with { FeedForward = layer.FeedForward! with { Plain = true } });
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) =>
        requirement.Name.EndsWith("norm.weight", StringComparison.Ordinal) ? TensorSource.OnePlus(Rows(requirement, model, shelf), 1) : base.Source(requirement, model, shelf);
}
