using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Command R: parallel branches behind one LayerNorm without bias, neighbours turning, scaled logits (Cohere release, 2024).</summary>
internal sealed class Cohere : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["CohereForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Command R and R+ (release, 2024), Aya 23 (arXiv 2405.15032)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var bias = config.Bool("attention_bias", false);
        var norm = ConfigParts.LayerNorm(config, "layer_norm_eps") with { Bias = false };
        var model = Describe(config, new(ContextLength: 8192, KeyValueHeads: null, RotaryBase: 500000) { Norm = norm, Tied = true }, bias, bias, _ => null);
        return WithLayers(model, (layer, _) => layer with
        {
            Attention = layer.Attention! with { QueryKeyNorm = config.Bool("use_qk_norm", false) ? new() { Norm = norm } : null },
            Parallel = true,
            FeedForwardNorm = null,
        }) with
        {
            Head = model.Head with { Scale = (float)config.Double("logit_scale", 0.0625) },
        };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var rows = Rows(requirement, model, shelf);
        // A norm of heads is stored as [heads, D]; its numbers go where the dimensions go that they belong to.
        return ModuleOf(requirement.Name) is "attention.query_norm" or "attention.key_norm"
            ? new(rows.Split(1, 2).Transpose(1, 2))
            : FromPairs(rows, requirement, model);
    }
}
