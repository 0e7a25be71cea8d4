using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>RWKV-5 "Eagle" (Peng et al. 2024, arXiv 2404.05892).</summary>
internal sealed class Rwkv5() : RwkvLayout("time_faaaa", "time_mix_", shorten: false)
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Rwkv5ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("RWKV-5 World, Eagle 7B (arXiv 2404.05892)", "RWKV World vocabulary");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        ChatTurns.Rwkv,
    ];

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config) => Describe(config, (int)(config.Int("hidden_size") * 3.5) / 32 * 32, new()
    {
        Kind = TimeMixKind.StaticDecay,
        Width = Width(config),
        HeadSize = config.Int("head_size", 64),
        Norm = HeadNorm(config),
    });
}
