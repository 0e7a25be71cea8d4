using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>SantaCoder as first released: GPT-2 with one key/value head, which has a matrix of its own (Ben Allal et al. 2023, arXiv 2301.03988).</summary>
internal sealed class SantaCoder : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GPT2LMHeadCustomModel"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("SantaCoder as first released (arXiv 2301.03988)", "byte-level BPE");

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>(Gpt2.Names)
    {
        ["attention.query"] = "transformer.h.#.attn.q_attn",
        ["attention.key"] = "transformer.h.#.attn.kv_attn",
        ["attention.value"] = "transformer.h.#.attn.kv_attn",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        // The class makes GPT-2's layers of another value; no release has one.
        if (config.String("attention_head_type") is not (null or "multiquery"))
            throw config.Error($"'attention_head_type' {config.String("attention_head_type")} is not supported; supported is multiquery");
        var model = Gpt2.DescribePositioned(config);
        return model with { Layers = [.. model.Layers.Select(layer => layer with { Attention = layer.Attention! with { KeyValueHeads = 1 } })] };
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf) => FromColumns(
        requirement, model, shelf, (rows, attention, part) => part == 0 ? rows : OfRows(rows, 2 * attention.HeadSize).Narrow(0, part == 1 ? 0 : attention.HeadSize, attention.HeadSize));
}
