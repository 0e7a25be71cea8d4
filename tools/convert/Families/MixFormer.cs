using System.Globalization;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Phi-1 and 1.5 as first released: everything is one sequence of layers, the embedding before the model's own and the head, with its norm, after them (Gunasekar et al. 2023,
/// arXiv 2306.11644).
/// </summary>
internal sealed class MixFormer : PhiLayout
{
    private const string Layer = "layers.#.";

    // Stands for the number after the last layer's.
    private const string Last = "last";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["MixFormerSequentialForCausalLM"];

    /// <inheritdoc/>
    public override FamilyCard Card => new("Phi-1 (arXiv 2306.11644) and Phi-1.5 (arXiv 2309.05463) as first released", "byte-level BPE");

    /// <inheritdoc/>
    protected override string HeadModule => $"layers.{Last}.linear";

    /// <inheritdoc/>
    protected override IReadOnlyDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embedding"] = "layers.0.wte",
        ["attention_norm"] = Layer + "ln",
        ["attention.query"] = Layer + "mixer.Wqkv",
        ["attention.key"] = Layer + "mixer.Wqkv",
        ["attention.value"] = Layer + "mixer.Wqkv",
        ["attention.output"] = Layer + "mixer.out_proj",
        ["feed_forward.up"] = Layer + "mlp.fc1",
        ["feed_forward.down"] = Layer + "mlp.fc2",
        ["final_norm"] = $"layers.{Last}.ln",
    };

    /// <inheritdoc/>
    public override string SourceName(string packedName) => base.SourceName(packedName.Split('.', 3) is ["layers", var layer, var rest]
        ? $"layers.{(int.Parse(layer, CultureInfo.InvariantCulture) + 1).ToString(CultureInfo.InvariantCulture)}.{rest}"
        : packedName);

    /// <inheritdoc/>
    public override TensorSource Source(TensorRequirement requirement, ModelDescription model, TensorShelf shelf)
    {
        var last = (model.Layers.Count + 1).ToString(CultureInfo.InvariantCulture);
        var stored = shelf.Take(SourceName(requirement.Name).Replace($".{Last}.", $".{last}.", StringComparison.Ordinal));
        return new(PartOf(requirement.Name) is >= 0 and var part ? InSequence(stored, model.Layers[LayerOf(requirement.Name)].Attention!, part) : stored);
    }
}
