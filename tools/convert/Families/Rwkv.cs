using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>RWKV-4: Pile, World, Raven (Peng et al. 2023, arXiv 2305.13048).</summary>
internal sealed class Rwkv() : RwkvLayout("time_first", "time_mix_", shorten: false)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["RwkvForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("RWKV-4 Pile, World and Raven (arXiv 2305.13048)", "byte-level BPE (GPT-NeoX); RWKV World vocabulary");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        // The author's demonstration of the World models (RWKV-LM, ChatRWKV).
        ChatTurns.Rwkv,
    ];

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) =>
        Describe(config, 4 * config.Int("hidden_size"), new() { Kind = TimeMixKind.Average, Width = Width(config) });
}
