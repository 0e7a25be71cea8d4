using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>Seed-OSS: LLaMA with biases of queries, keys and values (ByteDance Seed 2025, release).</summary>
internal sealed class SeedOss : LlamaLayout
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["SeedOssForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Seed-OSS 36B (release, 2025)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => Describe(
        config, new(ContextLength: 524288, KeyValueHeads: 8) { HeadSize = 128 }, config.Bool("attention_bias", true), config.Bool("attention_out_bias", false), _ => null);
}
