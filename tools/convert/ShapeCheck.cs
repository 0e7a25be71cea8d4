using Weft.Convert.Checkpoints;
using Weft.Models;

namespace Weft.Convert;

/// <summary>Holds what a packed tensor is made of against its shape. As many numbers are not enough: those of another shape mean something else.</summary>
internal static class ShapeCheck
{
    /// <summary>Refuses what has another shape.</summary>
    /// <param name="requirement">The packed tensor.</param>
    /// <param name="source">What it is made of.</param>
    /// <param name="experts">Of how many experts it is, which may be a dimension of their own in the file; null for none.</param>
    /// <exception cref="ShapeException">It does not fit.</exception>
    /// <exception cref="WeftException">It holds no numbers.</exception>
    public static void Check(TensorRequirement requirement, TensorSource source, int? experts)
    {
        foreach (var piece in source.Pieces)
        {
            if (!piece.Type.IsFloat())
                throw new WeftException($"{piece.File}: tensor '{piece.Name}' holds {piece.Type}, which are no weights of this architecture");
        }

        if (source.Pieces.Count == 0 || source.Resizes)
            return;
        long[] asked = [.. requirement.Shape];
        if (source is { Pieces: [{ IsView: false } whole], FileRank: null })
        {
            if (!AreAlike(whole.FileShape, asked) && !(experts is { } count && AreAlike(whole.FileShape, [count, asked[0] / count, .. asked[1..]])))
                throw new ShapeException(whole, Text(asked));
            return;
        }

        if (source.Pieces.FirstOrDefault(piece => !HasRank(piece) || !HasColumns(piece) || !IsLikeFirst(piece)) is { } odd)
            throw new ShapeException(odd, Text(asked));
        var first = source.Pieces[0];
        var isOne = source.Pieces.Count == 1 && first.Shape.Count == asked.Length;
        if (isOne ? first.Shape.SequenceEqual(asked) : source.Count == asked.Aggregate(1L, (product, size) => product * size))
            return;
        throw new ShapeException(first, Text(asked) + (isOne && first.IsView ? $" where it has {Text(first.Shape)}" : ""));

        bool HasRank(StoredTensor piece)
        {
            var most = source.FileRank ?? (piece.IsView ? 2 : asked.Length);
            return Squeezed(piece.FileShape).Count() is var rank && (rank <= most || (rank == most + 1 && piece.FileShape[0] == experts));
        }

        // Of a part, as of rows in another order; who says another rank has looked at the columns too.
        bool HasColumns(StoredTensor piece) => requirement.IsVector || source.FileRank is not null
            || (piece.FileShape.Count > 1 && (!piece.EndsAsInFile || piece.FileShape[^1] == asked[^1]));

        bool IsLikeFirst(StoredTensor piece) => piece.IsView || piece.FileShape.SequenceEqual(source.Pieces[0].FileShape);
    }

    private static bool AreAlike(IReadOnlyList<long> shape, IReadOnlyList<long> other) => Squeezed(shape).SequenceEqual(Squeezed(other));

    /// <summary>Sizes of 1 say nothing: some store vectors as [1, C] and kernels of convolutions as [C, 1, K].</summary>
    private static IEnumerable<long> Squeezed(IReadOnlyList<long> shape) => shape.Where(size => size != 1);

    private static string Text(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
