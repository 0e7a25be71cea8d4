using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Granite 3's mixtures of many small experts, one of them shared or none (IBM 2024, release; PowerMoE, arXiv 2408.13359). A layer's experts are one tensor [experts, out, in], an expert's
/// gate before its up.
/// </summary>
internal sealed class GraniteMoe() : GraniteLayout(
    ("feed_forward.router", Experts + "router.layer"),
    ("feed_forward.gate", Experts + "input_linear"),
    ("feed_forward.up", Experts + "input_linear"),
    ("feed_forward.down", Experts + "output_linear"),
    ("feed_forward.shared.gate", Shared + "input_linear"),
    ("feed_forward.shared.up", Shared + "input_linear"),
    ("feed_forward.shared.down", Shared + "output_linear"))
{
    private const string WithShared = "GraniteMoeSharedForCausalLM";
    private const string Experts = "model.layers.#.block_sparse_moe.";
    private const string Shared = "model.layers.#.shared_mlp.";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["GraniteMoeForCausalLM", WithShared];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Granite 3 1B-A400M and 3B-A800M (release, 2024), PowerMoE 3B (arXiv 2408.13359)", "byte-level BPE");

    /// <inheritdoc/>
    public override ModelDescription Describe(ConfigFile config)
    {
        var shared = config.Strings("architectures").Contains(WithShared) ? config.Int("shared_intermediate_size", 0) : 0;
        var experts = new ExpertsDescription
        {
            Count = config.Int("num_local_experts", 8),
            Active = config.Int("num_experts_per_tok", 2),
            Normalized = true,
            SharedSize = shared == 0 ? null : shared,
        };
        return WithLayers(base.Describe(config), (layer, _) => layer with { FeedForward = layer.FeedForward! with { Bias = false, Experts = experts } });
    }

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var stored = shelf.Take(SourceName(requirement.Name));
        return new(ModuleOf(requirement.Name) switch
        {
            "feed_forward.gate" => OfExperts(stored, requirement, model, part: 0, parts: 2),
            "feed_forward.up" => OfExperts(stored, requirement, model, part: 1, parts: 2),
            "feed_forward.down" => OfExperts(stored, requirement, model, part: 0, parts: 1),
            "feed_forward.shared.gate" => OfRows(stored, 2 * requirement.Shape[0]).Narrow(0, 0, requirement.Shape[0]),
            "feed_forward.shared.up" => OfRows(stored, 2 * requirement.Shape[0]).Narrow(0, requirement.Shape[0], requirement.Shape[0]),
            _ => stored,
        });
    }

    /// <summary>One of the parts, of equal rows, of every expert's matrix.</summary>
    private static StoredTensor OfExperts(StoredTensor experts, TensorRequirement requirement, ModelDescription model, int part, int parts)
    {
        var count = model.Layers[LayerOf(requirement.Name)].FeedForward!.Experts!.Count;
        var rows = requirement.Shape[0] / count;
        var isInner = parts == 2;
        (string Name, int Value, long Size)[] asked =
        [
            ("num_local_experts", count, count),
            (isInner ? "intermediate_size" : "hidden_size", rows, parts * rows),
            (isInner ? "hidden_size" : "intermediate_size", requirement.Shape[1], requirement.Shape[1]),
        ];
        if (experts.Shape.SequenceEqual(asked.Select(one => one.Size)))
            return experts.Narrow(1, part * rows, rows);
        var wrong = asked.Where((one, i) => experts.Shape.ElementAtOrDefault(i) != one.Size).Select(one => $"{one.Name} {one.Value}");
        throw new WeftException(
            $"{experts.File}: tensor '{experts.Name}' has the shape [{string.Join(", ", experts.Shape)}], but the config asks for [{string.Join(", ", asked.Select(one => one.Size))}] ({string.Join(", ", wrong)})");
    }
}
