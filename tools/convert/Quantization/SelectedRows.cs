using Weft.Convert.Checkpoints;

namespace Weft.Convert.Quantization;

/// <summary>Rows of a quantized matrix: part of a fused one, or all of them in another order. Codes, scales and zero points go with their rows.</summary>
/// <param name="whole">The stored matrix.</param>
/// <param name="rows">Numbers of its rows.</param>
/// <param name="columns">K.</param>
internal sealed class SelectedRows(MatrixSource whole, int[] rows, int columns) : MatrixSource
{
    /// <inheritdoc/>
    public override long ByteLength => whole.ByteLength;

    /// <summary>
    /// Which rows of a stored matrix a packed one is made of, null for all of them in order. It is read off the views that a family takes of
    /// <paramref name="stored"/>, a stand-in for numbers that there are only codes of.
    /// </summary>
    /// <param name="source">What the family made of it.</param>
    /// <param name="stored">[rows, K], row-major from byte 0.</param>
    /// <exception cref="WeftException">It was made of something else than whole rows.</exception>
    public static int[]? Find(TensorSource source, StoredTensor stored)
    {
        var rows = source.Pieces.SelectMany(piece => piece.Shape[^1] == stored.Shape[1] && piece.Strides[^1] == 1 ? RowsOf(piece, (int)stored.Shape[1]) : throw NotRows(stored)).ToArray();
        if (source.Transform is not null)
            throw NotRows(stored);
        return rows.Length == stored.Shape[0] && rows.Index().All(row => row.Index == row.Item) ? null : rows;
    }

    /// <inheritdoc/>
    public override QuantizedMatrix Read()
    {
        var matrix = whole.Read();
        var groups = matrix.Scales.Length / (matrix.Codes.Length / columns);
        return new()
        {
            Codes = Select(matrix.Codes, columns), Scales = Select(matrix.Scales, groups), ZeroPoints = Select(matrix.ZeroPoints, groups), Order = matrix.Order,
        };
    }

    /// <summary>The rows that a view is made of, in its order.</summary>
    /// <param name="view">Of whole rows of a matrix, row-major from byte 0.</param>
    /// <param name="columns">K.</param>
    public static IEnumerable<int> RowsOf(StoredTensor view, int columns)
    {
        IEnumerable<long> places = [view.Offset / view.Type.Size()];
        foreach (var (size, stride) in view.Shape.SkipLast(1).Zip(view.Strides))
            places = places.SelectMany(place => Enumerable.Range(0, checked((int)size)).Select(i => place + (i * stride)));
        return places.Select(place => (int)(place / columns));
    }

    private static WeftException NotRows(StoredTensor stored) =>
        new($"{stored.File}: '{stored.Name}' is quantized, but the model needs more of it than its rows as they are, which is not supported");

    private T[] Select<T>(T[] values, int width)
    {
        var result = new T[(long)rows.Length * width];
        for (var i = 0; i < rows.Length; i++)
            values.AsSpan(rows[i] * width, width).CopyTo(result.AsSpan(i * width));
        return result;
    }
}
