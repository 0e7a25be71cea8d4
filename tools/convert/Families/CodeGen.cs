using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>CodeGen 1 and 2: GPT-J with queries, values and keys fused in the order of the machines that trained it (Nijkamp et al. 2022 and 2023, arXiv 2203.13474 and 2305.02309).</summary>
internal sealed class CodeGen : ModuleFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["CodeGenForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("CodeGen (arXiv 2203.13474), CodeGen2 (arXiv 2305.02309)", "byte-level BPE");

    /// <inheritdoc/>
    public override string Prefix => "transformer.";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "transformer.wte",
        ["attention_norm"] = "transformer.h.#.ln_1",
        ["attention.query"] = "transformer.h.#.attn.qkv_proj",
        ["attention.key"] = "transformer.h.#.attn.qkv_proj",
        ["attention.value"] = "transformer.h.#.attn.qkv_proj",
        ["attention.output"] = "transformer.h.#.attn.out_proj",
        ["feed_forward.up"] = "transformer.h.#.mlp.fc_in",
        ["feed_forward.down"] = "transformer.h.#.mlp.fc_out",
        ["final_norm"] = "transformer.ln_f",
    };

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var model = GptJ.DescribeTurned(config);
        return model.Layers[0].Attention!.QueryHeads % Blocks(config) == 0
            ? model
            : throw config.Error($"'n_head' must be a multiple of {Blocks(config)}, the number of blocks in the fused projection");
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var stored = shelf.Take(SourceName(requirement.Name));
        var part = PartOf(requirement.Name);
        if (part < 0)
            return new(stored);
        var attention = model.Layers[LayerOf(requirement.Name)].Attention!;
        var count = Blocks(shelf.Config);
        var rows = attention.QueryHeads * attention.HeadSize / count;
        // Each block holds queries, values, keys of its heads.
        var place = part switch { 0 => 0, 1 => 2, _ => 1 };
        var blocks = Enumerable.Range(0, count).Select(block => stored.Narrow(0, ((3L * block) + place) * rows, rows));
        return part == 2
            ? new([.. blocks])
            : new([.. blocks.SelectMany(block => TensorSource.FromPairs(block, attention.HeadSize, attention.Rotary!.Size!.Value).Pieces)]);
    }

    /// <summary>Cores that the fused projection was split over. CodeGen2 1B and 3.7B were trained on others; their configs alone, beside all of CodeGen, name the head size.</summary>
    private static int Blocks(ConfigFile config) => config.Has("head_dim") ? 8 : 4;
}
