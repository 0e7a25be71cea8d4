using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;
using Weft.Graph;
using Weft.Models;

namespace Weft.Backends.Cpu.Operations;

/// <summary>A norm bound to its numbers: y = norm(x) · w + b over one stretch of a row.</summary>
/// <param name="Norm">Formula and ε.</param>
/// <param name="Weight">w, or null.</param>
/// <param name="Bias">b, or null.</param>
internal readonly unsafe struct BoundNorm<TSimd, TVector>(NormDescription Norm, float* Weight, float* Bias)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private readonly float epsilon = Norm.Epsilon;
    private readonly bool isCentered = Norm.Kind == NormKind.Layer;
    private readonly float* weight = Weight;
    private readonly float* bias = Bias;

    /// <summary>Norms <paramref name="count"/> elements, whose weights begin at <paramref name="first"/>. The result may replace the input.</summary>
    [MethodImpl(Hot.Path)]
    public void Apply(float* source, float* target, int first, int count)
    {
        // The variance is summed from differences, in a second pass: E[x²] − E[x]² loses all digits where the mean is large.
        var mean = isCentered ? Sum(source, count) / count : 0;
        var scale = 1 / MathF.Sqrt((Squares(source, mean, count) / count) + epsilon);
        var (shift, factor) = (TSimd.Broadcast(mean), TSimd.Broadcast(scale));
        var i = 0;
        for (; i + TSimd.Width <= count; i += TSimd.Width)
        {
            var x = TSimd.Load(source + i);
            x = TSimd.Multiply(isCentered ? TSimd.Subtract(x, shift) : x, factor);
            if (weight != null)
                x = TSimd.Multiply(x, TSimd.Load(weight + first + i));
            TSimd.Store(target + i, bias == null ? x : TSimd.Add(x, TSimd.Load(bias + first + i)));
        }

        for (; i < count; i++)
        {
            var x = (source[i] - mean) * scale;
            if (weight != null)
                x *= weight[first + i];
            target[i] = bias == null ? x : x + bias[first + i];
        }
    }

    private static float Sum(float* x, int count)
    {
        TVector s0 = TSimd.Zero, s1 = TSimd.Zero;
        var i = 0;
        for (; i + (2 * TSimd.Width) <= count; i += 2 * TSimd.Width)
        {
            s0 = TSimd.Add(s0, TSimd.Load(x + i));
            s1 = TSimd.Add(s1, TSimd.Load(x + i + TSimd.Width));
        }

        var sum = TSimd.Sum(TSimd.Add(s0, s1));
        for (; i < count; i++)
            sum += x[i];
        return sum;
    }

    [MethodImpl(Hot.Path)]
    private static float Squares(float* x, float mean, int count)
    {
        // Four sums: one would wait for the latency of every addition.
        TVector s0 = TSimd.Zero, s1 = TSimd.Zero, s2 = TSimd.Zero, s3 = TSimd.Zero;
        var shift = TSimd.Broadcast(mean);
        var i = 0;
        for (; i + (4 * TSimd.Width) <= count; i += 4 * TSimd.Width)
        {
            var a = TSimd.Subtract(TSimd.Load(x + i), shift);
            var b = TSimd.Subtract(TSimd.Load(x + i + TSimd.Width), shift);
            var c = TSimd.Subtract(TSimd.Load(x + i + (2 * TSimd.Width)), shift);
            var d = TSimd.Subtract(TSimd.Load(x + i + (3 * TSimd.Width)), shift);
            s0 = TSimd.MultiplyAdd(a, a, s0);
            s1 = TSimd.MultiplyAdd(b, b, s1);
            s2 = TSimd.MultiplyAdd(c, c, s2);
            s3 = TSimd.MultiplyAdd(d, d, s3);
        }

        var squares = TSimd.Sum(TSimd.Add(TSimd.Add(s0, s1), TSimd.Add(s2, s3)));
        for (; i < count; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        return squares;
    }
}

/// <summary><see cref="NormNode"/>.</summary>
internal sealed unsafe class NormOperation<TSimd, TVector>(ProgramContext context, NormNode node, BoundNorm<TSimd, TVector> norm, float* x, float* y)
    : RowOperation(context, node.X.Rows)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    protected override void RunRow(int row, int thread)
    {
        var offset = (nint)row * node.X.Width;
        for (var first = 0; first < node.X.Width; first += node.GroupSize)
            norm.Apply(x + offset + first, y + offset + first, first, node.GroupSize);
    }
}

/// <summary><see cref="HeadNormNode"/>.</summary>
internal sealed unsafe class HeadNormOperation<TSimd, TVector>(
    ProgramContext context, HeadNormNode node, BoundNorm<TSimd, TVector> queryNorm, BoundNorm<TSimd, TVector> keyNorm, float* qkv)
    : RowOperation(context, Rows.Tokens)
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private readonly int queries = node.Attention.QueryHeads * node.Attention.HeadSize;
    private readonly int keys = node.Attention.KeyValueHeads * node.Attention.HeadSize;

    protected override void RunRow(int row, int thread) => Apply(row);

    /// <summary>Norms a token's queries and keys.</summary>
    public void Apply(int row)
    {
        var x = qkv + ((nint)row * node.QueriesKeysValues.Width);
        Apply(queryNorm, x, queries);
        Apply(keyNorm, x + queries, keys);
    }

    private void Apply(in BoundNorm<TSimd, TVector> norm, float* x, int width)
    {
        var group = node.Attention.QueryKeyNorm!.AcrossHeads ? width : node.Attention.HeadSize;
        for (var first = 0; first < width; first += group)
            norm.Apply(x + first, x + first, first, group);
    }
}
