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
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>Bytes of the elements without gaps.</summary>
    public long ByteLength => Count * Type.Size();

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
