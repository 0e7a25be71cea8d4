namespace Weft.Convert.Checkpoints;

/// <summary>Where a tensor of a checkpoint lies. Nothing of it has been read.</summary>
/// <param name="Name">The checkpoint's name for it.</param>
/// <param name="Type">Element type, little-endian.</param>
/// <param name="Shape">Sizes, outermost first; empty for a scalar.</param>
/// <param name="Strides">Distance between neighbours of each dimension, in elements.</param>
/// <param name="File">Path of the file that holds it.</param>
/// <param name="Offset">Byte of that file where element [0, …, 0] begins.</param>
public sealed record StoredTensor(
    string Name, StoredType Type, IReadOnlyList<long> Shape, IReadOnlyList<long> Strides, string File, long Offset)
{
    /// <summary>What elements of a <see cref="StoredType.Float8"/> are multiplied by; null for nothing.</summary>
    public Float8Scales? Scales { get; init; }

    /// <summary>What makes its numbers of codes; null where they lie in the file as they are.</summary>
    public CodedNumbers? Coded { get; init; }

    /// <summary>Sizes of the tensor in its file, which views of it keep.</summary>
    public IReadOnlyList<long> FileShape { get; } = Shape;

    private IReadOnlyList<long> FileStrides { get; } = Strides;

    /// <summary>Whether the innermost dimension is the file's, whole or a part of it.</summary>
    public bool EndsAsInFile => Strides.Count > 0 && FileStrides.Count > 0 && Strides[^1] == FileStrides[^1];

    /// <summary>Whether these are not the tensor's numbers as they lie, but some of them or another order.</summary>
    public bool IsView => !ReferenceEquals(Shape, FileShape);

    /// <summary>Number of elements.</summary>
    public long Count
    {
        get
        {
            var count = 1L;
            foreach (var size in Shape)
                count *= size;
            return count;
        }
    }

    /// <summary>Bytes of the elements, or of their codes, without gaps.</summary>
    public long ByteLength => Coded?.BytesOf(Count) ?? Count * Type.Size();

    /// <summary>Whether the elements follow one another in row-major order.</summary>
    public bool IsContiguous
    {
        get
        {
            long expected = 1;
            for (var i = Shape.Count - 1; i >= 0; i--)
            {
                if (Shape[i] != 1 && Strides[i] != expected)
                    return false;
                expected *= Shape[i];
            }

            return true;
        }
    }

    /// <summary>A view in which dimension <paramref name="dimension"/> is two: [n / inner, inner].</summary>
    /// <exception cref="WeftException">The size is no multiple of <paramref name="inner"/>.</exception>
    public StoredTensor Split(int dimension, int inner)
    {
        if (dimension >= Shape.Count || Shape[dimension] % inner != 0)
            throw new ShapeException(this, $"sizes of dimension {dimension} that are multiples of {inner}");
        return this with
        {
            Shape = [.. Shape.Take(dimension), Shape[dimension] / inner, inner, .. Shape.Skip(dimension + 1)],
            Strides = [.. Strides.Take(dimension), Strides[dimension] * inner, Strides[dimension], .. Strides.Skip(dimension + 1)],
        };
    }

    /// <summary>A view with two dimensions exchanged.</summary>
    public StoredTensor Transpose(int first, int second)
    {
        var (shape, strides) = (Shape.ToArray(), Strides.ToArray());
        (shape[first], shape[second]) = (shape[second], shape[first]);
        (strides[first], strides[second]) = (strides[second], strides[first]);
        return this with { Shape = shape, Strides = strides };
    }

    /// <summary>A view of <paramref name="count"/> indices of one dimension.</summary>
    /// <exception cref="WeftException">There are not so many.</exception>
    public StoredTensor Narrow(int dimension, long first, long count)
    {
        if (dimension >= Shape.Count || first + count > Shape[dimension])
            throw new ShapeException(this, $"{first + count} or more in dimension {dimension}");
        return this with
        {
            Shape = [.. Shape.Take(dimension), count, .. Shape.Skip(dimension + 1)],
            Offset = Offset + (first * Strides[dimension] * Type.Size()),
        };
    }

    /// <summary>A view of what is at one index of the outermost dimension.</summary>
    /// <exception cref="WeftException">There is no such index.</exception>
    public StoredTensor At(long index)
    {
        var one = Narrow(0, index, 1);
        return one with { Shape = [.. one.Shape.Skip(1)], Strides = [.. one.Strides.Skip(1)] };
    }

    /// <summary>The strides of a row-major tensor without gaps.</summary>
    public static long[] RowMajorStrides(IReadOnlyList<long> shape)
    {
        var strides = new long[shape.Count];
        long stride = 1;
        for (var i = shape.Count - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= shape[i];
        }

        return strides;
    }
}
