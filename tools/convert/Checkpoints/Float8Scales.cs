using System.Numerics.Tensors;

namespace Weft.Convert.Checkpoints;

/// <summary>The scales of a matrix in <see cref="StoredType.Float8"/>: one for each block of it, which is a row, all of it, or some rows and columns.</summary>
public sealed class Float8Scales
{
    private readonly StoredTensor scales;
    private readonly long start; // byte of the matrix
    private readonly long columns;
    private readonly long blockRows;
    private readonly long blockColumns;
    private readonly Lazy<float[]> values;

    /// <param name="matrix">[M, K], row-major.</param>
    /// <param name="scales">One number, [M] or [M, 1], or [⌈M / rows⌉, ⌈K / columns⌉].</param>
    /// <param name="block">Rows and columns that share a scale, where there are such blocks.</param>
    /// <exception cref="WeftException">The shapes do not go together.</exception>
    public Float8Scales(StoredTensor matrix, StoredTensor scales, (int Rows, int Columns)? block)
    {
        if (matrix.Shape is not [var rows, var width] || !matrix.IsContiguous)
            throw new WeftException($"{matrix.File}: tensor '{matrix.Name}' has the shape [{string.Join(", ", matrix.Shape)}]; numbers of 8 bits must be a matrix");
        (this.scales, start, columns) = (scales, matrix.Offset, width);
        (blockRows, blockColumns) = scales.Shape switch
        {
            _ when scales.Count == 1 => (rows, width),
            [var count] when count == rows => (1, width),
            [var count, 1] when count == rows => (1, width),
            [var down, var across] when block is { } size && down == Up(rows, size.Rows) && across == Up(width, size.Columns) => (size.Rows, size.Columns),
            _ => throw new WeftException(
                $"{scales.File}: tensor '{scales.Name}' has the shape [{string.Join(", ", scales.Shape)}], which are no scales of [{rows}, {width}] numbers{(block is { } size ? $" in blocks of [{size.Rows}, {size.Columns}]" : "")}"),
        };
        if (!scales.Type.IsFloat() || scales.Type == StoredType.Float8)
            throw new WeftException($"{scales.File}: tensor '{scales.Name}' holds {scales.Type}, which are no scales");
        values = new(Read);

        static long Up(long size, int unit) => (size + unit - 1) / unit;
    }

    /// <summary>Multiplies elements of a view of the matrix by their scales.</summary>
    /// <param name="view">The matrix, or a view of it.</param>
    /// <param name="first">Of the view's elements, in row-major order.</param>
    /// <param name="elements">Those from <paramref name="first"/> on.</param>
    public void Apply(StoredTensor view, long first, Span<float> elements)
    {
        var (run, step) = (view.Shape[^1], view.Strides[^1]);
        for (var i = 0; i < elements.Length;)
        {
            var (rest, place) = (first + i, view.Offset - start);
            for (var d = view.Shape.Count - 1; d >= 0; d--)
            {
                place += rest % view.Shape[d] * view.Strides[d];
                rest /= view.Shape[d];
            }

            // What is left of a row of the view, and with neighbours of the matrix of the block's.
            var left = Math.Min(run - ((first + i) % run), elements.Length - i);
            var column = place % columns;
            if (step == 1)
                left = Math.Min(left, Math.Min(columns, (column / blockColumns * blockColumns) + blockColumns) - column);
            var count = step == 1 ? (int)left : 1;
            var scale = values.Value[(place / columns / blockRows * ((columns + blockColumns - 1) / blockColumns)) + (column / blockColumns)];
            var part = elements.Slice(i, count);
            TensorPrimitives.Multiply(part, scale, part);
            i += count;
        }
    }

    private float[] Read()
    {
        using var file = SourceReader.Open(scales.File);
        var bytes = file.Read(scales.Offset, checked((int)scales.ByteLength));
        var bad = Elements.IndexOfNonFinite(scales.Type, bytes);
        if (bad >= 0)
            throw new WeftException($"{scales.File}: tensor '{scales.Name}' holds a scale that is NaN or infinity at element {bad}");
        var result = new float[scales.Count];
        Elements.ToSingle(scales.Type, bytes, result);
        return result;
    }
}
