using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>RWKV-6 "Finch" (Peng et al. 2024, arXiv 2404.05892).</summary>
internal sealed class Rwkv6() : RwkvLayout("time_faaaa", "time_maa_", shorten: true)
{
    // Ranks are no members of the config: the release has these, and twice as much in its largest model.
    private const int LargestHiddenSize = 4096;
    private const int MixRank = 32;
    private const int DecayRank = 64;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["Rwkv6ForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("RWKV-6 World, Finch 1.6B to 14B (arXiv 2404.05892)", "RWKV World vocabulary");

    /// <inheritdoc/>
    public override IReadOnlyList<ChatFormat> ChatFormats { get; } =
    [
        ChatTurns.Rwkv,
    ];

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var factor = config.Int("hidden_size") == LargestHiddenSize ? 2 : 1;
        return Describe(config, (int)(config.Int("hidden_size") * 3.5) / 32 * 32, new()
        {
            Kind = TimeMixKind.DynamicDecay,
            Width = Width(config),
            HeadSize = config.Int("head_size", 64),
            Norm = HeadNorm(config),
            MixRank = factor * MixRank,
            DecayRank = factor * DecayRank,
        });
    }

    /// <inheritdoc/>
    public override string SourceName(string packedName) => InLayer(packedName) switch
    {
        "time_mix.mix" => Named(packedName, "maa_x"),
        "time_mix.decay_mix" => Named(packedName, "maa_w"),
        "time_mix.decay_in.weight" => Named(packedName, "decay_w1"),
        "time_mix.decay_out.weight" => Named(packedName, "decay_w2"),
        "time_mix.decay_out.bias" => Named(packedName, "decay"),
        var name when name.EndsWith("_mix_in.weight", StringComparison.Ordinal) => Named(packedName, "maa_w1"),
        var name when name.EndsWith("_mix_out.weight", StringComparison.Ordinal) => Named(packedName, "maa_w2"),
        _ => base.SourceName(packedName),
    };

    /// <inheritdoc/>
    /// <remarks>The small matrices are stored [in, out], those of all five amounts of mixing in one.</remarks>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var stored = shelf.Take(SourceName(requirement.Name));
        var name = InLayer(requirement.Name);
        string[] order = ["decay", "key", "value", "receptance", "gate"];
        var place = Array.FindIndex(order, part => name.StartsWith($"time_mix.{part}_mix_", StringComparison.Ordinal));
        if (name.EndsWith("_mix_in.weight", StringComparison.Ordinal))
        {
            var rank = requirement.Shape[0];
            return new(OfRows(OfRank(stored, 2).Transpose(0, 1), order.Length * rank).Narrow(0, place * rank, rank));
        }

        if (name.EndsWith("_mix_out.weight", StringComparison.Ordinal))
            return new(OfRows(OfRank(stored, 3), order.Length).At(place).Transpose(0, 1)) { FileRank = 3 };
        if (name is "time_mix.decay_in.weight" or "time_mix.decay_out.weight")
            return new(OfRank(stored, 2).Transpose(0, 1));
        return name == "time_mix.first" ? ByRows(stored) : new(stored);
    }

    private static string Named(string packedName, string name) => $"rwkv.blocks.{packedName.Split('.')[1]}.attention.time_{name}";
}
