using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>What families with recurrent blocks share: vectors that are no module's weight or bias.</summary>
internal abstract class RecurrentLayout : ModuleFamily
{
    /// <summary>Sequences may become as long as this at least: a state has no end, and a token costs no memory.</summary>
    protected const int LongContext = 1 << 17;

    /// <summary>From packed names without the layer to the checkpoint's; '#' stands for the layer's number.</summary>
    protected abstract IReadOnlyDictionary<string, string> Tensors { get; }

    /// <inheritdoc/>
    public override string SourceName(string packedName) =>
        packedName.Split('.', 3) is ["layers", var layer, _] && Tensors.TryGetValue(InLayer(packedName), out var source)
            ? source.Replace("#", layer, StringComparison.Ordinal)
            : base.SourceName(packedName);

    /// <summary>A vector that is stored as a matrix: by heads, or by channels.</summary>
    protected static TensorSource ByRows(StoredTensor stored) => new(stored) { FileRank = 2 };

    /// <summary>A packed name without its layer.</summary>
    protected static string InLayer(string packedName) => packedName.Split('.', 3) is ["layers", _, var rest] ? rest : packedName;

    /// <summary>A tensor with so many dimensions.</summary>
    protected static StoredTensor OfRank(StoredTensor stored, int dimensions) => stored.Shape.Count == dimensions
        ? stored
        : throw new ShapeException(stored, $"{dimensions} dimensions");

    /// <summary>A vector, of whatever shape with so many numbers, each changed.</summary>
    protected static TensorSource Changed(StoredTensor stored, TensorRequirement requirement, Func<float, float> change) => stored.Count == requirement.Shape[0]
        ? ByRows(stored) with { Transform = numbers => Array.ConvertAll(numbers, x => change(x)) }
        : throw new ShapeException(stored, $"[{requirement.Shape[0]}]");
}
