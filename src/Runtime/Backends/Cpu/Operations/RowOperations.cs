using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;

namespace Weft.Backends.Cpu.Operations;

/// <summary>y[n] = E[token_ids[n]], widened to float32.</summary>
internal sealed unsafe class EmbeddingOperation<TSimd, TVector>(
    ProgramContext context, Tensors.DataType type, byte* table, int width, float* y)
    : RowOperation(context, Rows.Tokens)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void RunRow(int row, int thread)
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

/// <summary>RMSNorm: y = x / sqrt(mean(x²) + ε) · w.</summary>
internal sealed unsafe class RmsNormOperation<TSimd, TVector>(
    ProgramContext context, Rows rows, float epsilon, float* weight, int width, float* x, float* y)
    : RowOperation(context, rows)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override void RunRow(int row, int thread)
    {
        var source = x + ((nint)row * width);
        var target = y + ((nint)row * width);
        // Four sums: one would wait for the latency of every addition.
        TVector s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
        var i = 0;
        for (; i + (4 * TSimd.Width) <= width; i += 4 * TSimd.Width)
        {
            var a = TSimd.Load(source + i);
            var b = TSimd.Load(source + i + TSimd.Width);
            var c = TSimd.Load(source + i + (2 * TSimd.Width));
            var d = TSimd.Load(source + i + (3 * TSimd.Width));
            s0 = TSimd.MultiplyAdd(a, a, s0);
            s1 = TSimd.MultiplyAdd(b, b, s1);
            s2 = TSimd.MultiplyAdd(c, c, s2);
            s3 = TSimd.MultiplyAdd(d, d, s3);
        }

        var squares = TSimd.Sum(TSimd.Add(TSimd.Add(s0, s1), TSimd.Add(s2, s3)));
        for (; i < width; i++)
            squares += source[i] * source[i];

        var scale = 1 / MathF.Sqrt((squares / width) + epsilon);
        var factor = TSimd.Broadcast(scale);
        for (i = 0; i + TSimd.Width <= width; i += TSimd.Width)
            TSimd.Store(target + i, TSimd.Multiply(TSimd.Multiply(TSimd.Load(source + i), factor), TSimd.Load(weight + i)));
        for (; i < width; i++)
            target[i] = source[i] * scale * weight[i];
    }
}

/// <summary>y[r] = x[logit_rows[r]].</summary>
internal sealed unsafe class GatherRowsOperation(ProgramContext context, int width, float* x, float* y)
    : RowOperation(context, Rows.Logits)
{
    protected override void RunRow(int row, int thread) =>
        new Span<float>(x + ((nint)Batch.LogitRows[row] * width), width).CopyTo(new Span<float>(y + ((nint)row * width), width));
}
