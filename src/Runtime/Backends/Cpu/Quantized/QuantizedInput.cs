using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weft.Weights;

namespace Weft.Backends.Cpu.Quantized;

/// <summary>How rows of activations [K] become integers for products with tiles.</summary>
/// <param name="layout">Of the matrix that rows are multiplied with.</param>
/// <param name="order">The input column of each stored column; null where they are the same.</param>
internal abstract unsafe class QuantizedInput(QuantizedLayout layout, int[]? order)
{
    /// <summary>Bytes that a row takes, wherever among the others they lie; a multiple of 64.</summary>
    public abstract int Bytes { get; }

    /// <summary>The matrix.</summary>
    protected QuantizedLayout Layout => layout;

    /// <summary>Stored columns are in the input's order.</summary>
    protected bool IsContiguous => order is null;

    /// <summary>Whether rows quantized for <paramref name="other"/> serve as well.</summary>
    public bool IsSameAs(QuantizedInput other) =>
        layout.Columns == other.Layout.Columns && layout.Bits == other.Layout.Bits && layout.Groups == other.Layout.Groups
        && (order is null ? other.Order is null : other.Order is not null && order.AsSpan().SequenceEqual(other.Order));

    /// <summary>Quantizes one row.</summary>
    /// <param name="x">[K].</param>
    /// <param name="rows">Where all rows go, <see cref="Bytes"/> for each.</param>
    /// <param name="row">Which.</param>
    /// <param name="count">Of all rows.</param>
    public abstract void Quantize(float* x, byte* rows, int row, int count);

    /// <summary>The largest of some numbers.</summary>
    protected static float Max(Vector512<float> values)
    {
        var half = Vector256.Max(values.GetLower(), values.GetUpper());
        var quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        quarter = Vector128.Max(quarter, Vector128.Shuffle(quarter, Vector128.Create(2, 3, 0, 1)));
        return MathF.Max(quarter[0], quarter[1]);
    }

    /// <summary>Stored columns from <paramref name="first"/> on, with zeros beyond the last.</summary>
    protected void Collect(float* x, int first, int columns, float* buffer)
    {
        var count = Math.Min(columns, layout.Columns - first);
        if (order is null)
        {
            Unsafe.CopyBlockUnaligned(buffer, x + first, (uint)count * sizeof(float));
        }
        else
        {
            for (var i = 0; i < count; i++)
                buffer[i] = x[order[first + i]];
        }

        new Span<float>(buffer + count, columns - count).Clear();
    }

    private int[]? Order => order;
}
