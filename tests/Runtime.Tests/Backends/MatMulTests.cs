using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Weft.Backends.Cpu;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Simd;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Runtime.Tests.Backends;

/// <summary>The dense product against the plain definition: every width and weight type, odd sizes, strides, poisoned output.</summary>
[TestFixture]
public sealed unsafe class MatMulTests
{
    private static readonly int[] TokenCounts = [1, 2, 3, 4, 5, 6, 7, 9, 13, 20];
    private static readonly (int K, int M)[] Sizes = [(1, 1), (15, 3), (64, 4), (111, 17), (100, 40), (256, 19), (768, 8), (1024, 6), (1003, 5), (2100, 9), (96, 141)];

    [Test]
    public void Product_matches_its_definition(
        [Values] InstructionSet set, [Values(DataType.Float32, DataType.Float16, DataType.BFloat16)] DataType type, [Values] bool accumulate, [Values] bool bias)
    {
        if (!InstructionSets.IsSupported(set))
            Assert.Ignore($"this machine does not have {set.Name()}");
        var random = new Random(3);
        foreach (var (k, m) in Sizes)
        {
            foreach (var n in TokenCounts)
                Check(Kernel(set, type), type, n, k, m, accumulate, bias, random);
        }
    }

    [Test]
    public void A_token_gets_the_same_bits_in_every_batch(
        [Values] InstructionSet set, [Values(DataType.Float32, DataType.Float16, DataType.BFloat16)] DataType type, [Values(256, 768, 2100)] int k)
    {
        if (!InstructionSets.IsSupported(set))
            Assert.Ignore($"this machine does not have {set.Name()}");
        const int M = 37;
        var random = new Random(5);
        var (weights, _) = TinyModel.Encode(Enumerable.Range(0, M * k).Select(_ => TinyModel.Normal(random)), type);
        var x = Enumerable.Range(0, 20 * k).Select(_ => (float)TinyModel.Normal(random)).ToArray();
        var alone = Multiply(Kernel(set, type), weights, x, 1, k, M);
        foreach (var n in TokenCounts)
            Assert.That(Multiply(Kernel(set, type), weights, x, n, k, M)[..M], Is.EqualTo(alone), $"{n} tokens");
    }

    private static float[] Multiply(MatMulKernel kernel, byte[] weights, float[] x, int n, int k, int m)
    {
        var y = new float[n * m];
        var scratch = Scratch(k);
        var packed = Scratch(k);
        fixed (byte* w = weights)
        fixed (float* px = x, py = y)
        {
            var arguments = new MatMulArguments { X = px, XStride = k, PackedX = packed, W = w, Y = py, YStride = m, N = n, K = k };
            if (n <= MatMulKernel.FewTokens)
                kernel.Pack(arguments, packed);
            kernel.Run(arguments, 0, m, scratch);
        }

        NativeMemory.AlignedFree(scratch);
        NativeMemory.AlignedFree(packed);
        return y;
    }

    /// <summary>Poisoned, so that a read of what was not packed shows.</summary>
    private static float* Scratch(int k)
    {
        var count = Math.Max(MatMulKernel.PackedFloats(k), MatMulKernel.ManyTokensFloats);
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
        new Span<float>(memory, count).Fill(float.NaN);
        return memory;
    }

    private static void Check(MatMulKernel kernel, DataType type, int n, int k, int m, bool accumulate, bool bias, Random random)
    {
        // A few activations are a hundred times larger than the rest, as real models have them.
        var x = Enumerable.Range(0, n * (k + 3)).Select(i => (float)(TinyModel.Normal(random) * (i % 97 == 0 ? 100 : 1))).ToArray();
        var (weights, exact) = TinyModel.Encode(Enumerable.Range(0, m * k).Select(_ => TinyModel.Normal(random)), type);
        var b = Enumerable.Range(0, m).Select(_ => (float)TinyModel.Normal(random)).ToArray();
        var start = Enumerable.Range(0, n * (m + 2)).Select(_ => accumulate ? (float)TinyModel.Normal(random) : float.NaN).ToArray();
        var y = start.ToArray();
        // The weights end where their allocation ends, so that a tool that watches memory sees a read beyond them.
        var w = (byte*)NativeMemory.Alloc((nuint)weights.Length);
        weights.CopyTo(new Span<byte>(w, weights.Length));
        var scratch = Scratch(k);
        var packed = Scratch(k);
        fixed (float* px = x, py = y, pb = b)
        {
            var arguments = new MatMulArguments
            {
                X = px,
                XStride = k + 3,
                PackedX = packed,
                W = w,
                Y = py,
                YStride = m + 2,
                Bias = bias ? pb : null,
                Accumulate = accumulate,
                N = n,
                K = k,
            };
            if (n <= MatMulKernel.FewTokens)
                kernel.Pack(arguments, packed);
            var middle = m / 2 / 4 * 4;
            kernel.Run(arguments, middle, m, scratch);
            kernel.Run(arguments, 0, middle, scratch);
        }

        NativeMemory.AlignedFree(scratch);
        NativeMemory.AlignedFree(packed);
        NativeMemory.Free(w);
        double[] biases = bias ? [.. b.Select(value => (double)value)] : [];
        for (var t = 0; t < n; t++)
        {
            double[] row = [.. x.Skip(t * (k + 3)).Take(k).Select(value => (double)value)];
            var products = ReferenceLinear.Apply(row, exact, biases, k);
            for (var r = 0; r < m; r++)
            {
                var magnitude = 0.0;
                var expected = products[r] + (accumulate ? start[(t * (m + 2)) + r] : 0.0);
                for (var i = 0; i < k; i++)
                    magnitude += Math.Abs(exact[(r * k) + i] * x[(t * (k + 3)) + i]);
                var actual = y[(t * (m + 2)) + r];
                if (!(Math.Abs(actual - expected) <= 2e-6 * (magnitude + 1)))
                    Assert.Fail($"N={n} K={k} M={m}: y[{t}, {r}] is {actual:r} instead of {expected:r}");
            }

            Assert.That(y.AsSpan((t * (m + 2)) + m, 2).ToArray(), Is.EqualTo(start.AsSpan((t * (m + 2)) + m, 2).ToArray()), "beyond the rows");
        }
    }

    private static MatMulKernel Kernel(InstructionSet set, DataType type) => set switch
    {
        InstructionSet.Vector512 => Kernel<Simd512, Vector512<float>>(type),
        InstructionSet.Vector256 => Kernel<Simd256, Vector256<float>>(type),
        InstructionSet.Vector128 => Kernel<Simd128, Vector128<float>>(type),
        _ => Kernel<SimdScalar, float>(type),
    };

    private static MatMulKernel Kernel<TSimd, TVector>(DataType type)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => type switch
        {
            DataType.Float32 => MatMulKernel<TSimd, TVector, Float32Weights>.Instance,
            DataType.Float16 => MatMulKernel<TSimd, TVector, Float16Weights>.Instance,
            _ => MatMulKernel<TSimd, TVector, BFloat16Weights>.Instance,
        };
}
