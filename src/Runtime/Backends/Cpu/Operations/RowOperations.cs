using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;

namespace Weft.Backends.Cpu.Operations;

/// <summary>y[n] = scale · E[token_ids[n]] + P[positions[n]], widened to float32.</summary>
internal sealed unsafe class EmbeddingOperation<TSimd, TVector>(
    ProgramContext context, Tensors.DataType type, byte* table, float scale, PositionTable? positions, int width, float* y)
    : RowOperation(context, Rows.Tokens)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    protected override void RunRow(int row, int thread)
    {
        Widen(row);
        var target = y + ((nint)row * width);
        if (scale != 1)
            TensorPrimitives.Multiply(new ReadOnlySpan<float>(target, width), scale, new Span<float>(target, width));
        positions?.AddTo(target, Batch.TextPositions[row]);
    }

    [MethodImpl(Hot.Path)]
    private void Widen(int row)
    {
        var source = table + ((nint)Batch.TokenIds[row] * width * Tensors.DataTypes.Size(type));
        var target = y + ((nint)row * width);
        var i = 0;
        switch (type)
        {
            case Tensors.DataType.Float32:
                new Span<float>(source, width).CopyTo(new Span<float>(target, width));
                break;
            case Tensors.DataType.BFloat16:
                for (; i + TSimd.Width <= width; i += TSimd.Width)
                    TSimd.Store(target + i, TSimd.LoadBFloat16((ushort*)source + i));
                for (; i < width; i++)
                    target[i] = SimdScalar.LoadBFloat16((ushort*)source + i);
                break;
            default:
                for (; i + TSimd.Width <= width; i += TSimd.Width)
                    TSimd.Store(target + i, TSimd.LoadFloat16((ushort*)source + i));
                for (; i < width; i++)
                    target[i] = SimdScalar.LoadFloat16((ushort*)source + i);
                break;
        }
    }
}

/// <summary>y[r] = x[logit_rows[r]].</summary>
internal sealed unsafe class GatherRowsOperation(ProgramContext context, int width, float* x, float* y)
    : RowOperation(context, Rows.Logits)
{
    protected override void RunRow(int row, int thread) =>
        new Span<float>(x + ((nint)Batch.LogitRows[row] * width), width).CopyTo(new Span<float>(y + ((nint)row * width), width));
}
