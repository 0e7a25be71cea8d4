using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weft.Backends.Cpu.MatMul;
using Weft.Weights;

namespace Weft.Backends.Cpu.Quantized;

/// <summary>y[N, M] = x[N, K] · W[M, K]ᵀ for a matrix of tiles and rows of integers that <see cref="QuantizedInput"/> made of activations.</summary>
internal abstract unsafe class QuantizedMatMulKernel(QuantizedLayout layout) : MatMulKernel
{
    /// <inheritdoc/>
    public sealed override bool PacksItself => false;

    /// <summary>The matrix.</summary>
    protected QuantizedLayout Layout => layout;

    /// <inheritdoc/>
    public sealed override void Pack(in MatMulArguments arguments, float* packed) => throw new NotSupportedException("rows are quantized by an operation of their own");

    /// <summary>[groups, 16] scales and zero points, in float32.</summary>
    protected void ReadScales(byte* w, int block, float* scales, float* zeros)
    {
        var first = layout.GroupIndex(block * QuantizedLayout.TileRows, 0);
        var count = layout.Groups * QuantizedLayout.TileRows;
        TensorPrimitives.ConvertToSingle(new ReadOnlySpan<Half>(w + layout.Scales + (first * sizeof(ushort)), count), new Span<float>(scales, count));
        var stored = w + layout.ZeroPoints + (first * layout.ZeroPointBytes);
        switch (layout.ZeroPointBytes)
        {
            case 0:
                new Span<float>(zeros, count).Fill(layout.MiddleCode);
                break;
            case sizeof(ushort):
                TensorPrimitives.ConvertToSingle(new ReadOnlySpan<Half>(stored, count), new Span<float>(zeros, count));
                TensorPrimitives.Add(new Span<float>(zeros, count), layout.MiddleCode, new Span<float>(zeros, count));
                break;
            default:
                for (var i = 0; i < count; i += QuantizedLayout.TileRows)
                    Widen(Vector128.Load(stored + i)).Store(zeros + i);
                break;
        }
    }

    /// <summary>Writes sums of a token for rows that share tiles.</summary>
    /// <param name="arguments">The product.</param>
    /// <param name="token">Which.</param>
    /// <param name="firstRow">First row.</param>
    /// <param name="endRow">End of the rows.</param>
    /// <param name="sums">[16] of the rows' block.</param>
    [MethodImpl(Hot.Path)]
    protected static void Write(in MatMulArguments arguments, int token, int firstRow, int endRow, float* sums)
    {
        var y = arguments.Y + (token * arguments.YStride);
        if (endRow - firstRow == QuantizedLayout.TileRows)
        {
            var values = Vector512.Load(sums);
            if (arguments.Bias != null)
                values += Vector512.Load(arguments.Bias + firstRow);
            if (arguments.Accumulate)
                values += Vector512.Load(y + firstRow);
            values.Store(y + firstRow);
            return;
        }

        for (var row = firstRow; row < endRow; row++)
        {
            var value = sums[row % QuantizedLayout.TileRows] + (arguments.Bias == null ? 0 : arguments.Bias[row]);
            y[row] = arguments.Accumulate ? y[row] + value : value;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Widen(Vector128<byte> bytes)
    {
        var (low, high) = Vector128.Widen(bytes);
        var (a, b) = Vector256.Widen(Vector256.Create(low, high));
        return Vector512.ConvertToSingle(Vector512.Create(a, b).AsInt32());
    }
}
