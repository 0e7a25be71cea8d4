using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Simd;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Runtime.Tests.Backends;

/// <summary>The product with MXFP4 weights against its definition, at every vector width of this machine, over poisoned output.</summary>
[TestFixture]
public sealed unsafe class Mxfp4MatMulTests
{
    // Rows below, at and above a tile's; columns of half a tile and more than a sum's.
    private static readonly (int M, int K)[] Sizes = [(1, 32), (15, 64), (16, 96), (17, 320), (48, 2080)];

    private static readonly (string Name, bool IsSupported, Func<QuantizedMatrix, MatMulKernel> Create)[] Kernels =
    [
        ("512", Vector512.IsHardwareAccelerated, matrix => new Mxfp4MatMulKernel<Simd512, Vector512<float>>(matrix.Layout)),
        ("256", Vector256.IsHardwareAccelerated, matrix => new Mxfp4MatMulKernel<Simd256, Vector256<float>>(matrix.Layout)),
        ("128", Vector128.IsHardwareAccelerated, matrix => new Mxfp4MatMulKernel<Simd128, Vector128<float>>(matrix.Layout)),
        ("scalar", true, matrix => new Mxfp4MatMulKernel<SimdScalar, float>(matrix.Layout)),
    ];

    private static IEnumerable<string> KernelNames => Kernels.Where(kernel => kernel.IsSupported).Select(kernel => kernel.Name);

    [Test]
    public void Product_matches_its_definition_and_a_token_has_the_same_bits_in_every_batch([ValueSource(nameof(KernelNames))] string name)
    {
        foreach (var (m, k) in Sizes)
        {
            var matrix = new QuantizedMatrix(m, k, DataType.Mxfp4, new() { GroupSize = 32 });
            var random = new Random(k);
            var x = Enumerable.Range(0, 23 * k).Select(_ => (float)TinyModel.Normal(random)).ToArray();
            var bias = Enumerable.Range(0, m).Select(_ => (float)TinyModel.Normal(random)).ToArray();
            var kernel = Kernels.Single(one => one.Name == name).Create(matrix);
            var expected = ReferenceLinear.Apply(Array.ConvertAll(x, value => (double)value), matrix.Weights, Array.ConvertAll(bias, value => (double)value), k);
            var alone = Multiply(kernel, matrix, x, 1, bias, [0, m]);
            foreach (var n in (int[])[1, 2, 5, 18, 23])
            {
                var actual = Multiply(kernel, matrix, x, n, bias, n == 5 && m > 20 ? [0, 7, 20, m] : [0, m]);
                Assert.That(ErrorMeasure.RelativeRms(actual, expected.AsSpan(0, n * m)), Is.LessThan(1e-6), $"{m}×{k}, {n} tokens");
                Assert.That(actual[..m], Is.EqualTo(alone), $"{m}×{k}, {n} tokens");
            }
        }
    }

    /// <summary>The product, with its rows cut at <paramref name="cuts"/>.</summary>
    private static float[] Multiply(MatMulKernel kernel, QuantizedMatrix matrix, float[] x, int n, float[] bias, int[] cuts)
    {
        var (m, k) = (matrix.Layout.Rows, matrix.Layout.Columns);
        var y = new float[n * m];
        Array.Fill(y, float.NaN);
        var packed = (float*)NativeMemory.AlignedAlloc((nuint)MatMulKernel.PackedFloats(k) * sizeof(float), 64);
        var scratch = (float*)NativeMemory.AlignedAlloc((nuint)Mxfp4MatMulKernel<SimdScalar, float>.ScratchFloats(matrix.Layout) * sizeof(float), 64);
        try
        {
            fixed (byte* w = matrix.Bytes)
            fixed (float* px = x, py = y, pb = bias)
            {
                var arguments = new MatMulArguments { X = px, XStride = k, PackedX = packed, W = w, Y = py, YStride = m, Bias = pb, N = n, K = k };
                if (n <= MatMulKernel.FewTokens)
                    kernel.Pack(arguments, packed);
                for (var i = 1; i < cuts.Length; i++)
                    kernel.Run(arguments, cuts[i - 1], cuts[i], scratch);
            }
        }
        finally
        {
            NativeMemory.AlignedFree(packed);
            NativeMemory.AlignedFree(scratch);
        }

        return y;
    }
}
