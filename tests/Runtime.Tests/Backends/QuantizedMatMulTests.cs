using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Quantized;
using Weft.Reference;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Runtime.Tests.Backends;

/// <summary>
/// The product with quantized weights against its definition: activations rounded to 8 bits by sixteens, exact sums, the weights that the codes stand
/// for. On every instruction set of this machine, at odd sizes, over poisoned output.
/// </summary>
[TestFixture]
public sealed unsafe class QuantizedMatMulTests
{
    private static readonly int[] TokenCounts = [1, 2, 3, 4, 5, 9];

    // Rows below, at and above a tile's; columns of half a tile, whole ones, and with a last tile that is not full.
    private static readonly (int M, int K, int GroupSize)[] Sizes =
        [(1, 64, 64), (15, 128, 64), (16, 96, 32), (17, 320, 64), (33, 384, 128), (5, 100, 100), (20, 1000, 1000), (48, 256, 32), (7, 15, 15)];

    private static readonly (string Name, bool IsSupported, Func<QuantizedLayout, QuantizedInput, MatMulKernel> Create)[] Kernels =
    [
        ("AVX-512", Avx512BW.IsSupported, Create<ByteDot512>),
        ("AVX-VNNI", AvxVnni.IsSupported, Create<ByteDotVnni>),
        ("AVX2", Avx2.IsSupported, Create<ByteDot256>),
        ("plain", true, Create<ByteDotPlain>),
    ];

    private static IEnumerable<string> KernelNames => Kernels.Select(kernel => kernel.Name);

    [Test]
    public void Product_matches_its_definition(
        [ValueSource(nameof(KernelNames))] string kernel, [Values(DataType.Int4, DataType.Int8)] DataType type, [Values] bool zeroPoints, [Values] bool permuted)
    {
        foreach (var (m, k, groupSize) in Sizes)
        {
            var matrix = new Matrix(m, k, type, new() { GroupSize = groupSize, ZeroPoints = zeroPoints, Permuted = permuted });
            foreach (var n in TokenCounts)
            {
                var x = Activations(n, k);
                var bias = Activations(1, m);
                var before = Activations(n, m, seed: 5);
                foreach (var accumulate in (bool[])[false, true])
                {
                    var y = accumulate ? before.ToArray() : [.. Enumerable.Repeat(float.NaN, n * m)];
                    Multiply(Select(kernel), matrix, x, y, n, bias, accumulate);
                    var expected = matrix.Reference(x, n);
                    for (var i = 0; i < expected.Length; i++)
                        expected[i] += bias[i % m] + (accumulate ? before[i] : 0);
                    Assert.That(ErrorMeasure.RelativeRms(y, expected), Is.LessThan(2e-6), $"{m}×{k}, groups of {groupSize}, {n} tokens");
                }
            }
        }
    }

    [Test]
    public void A_token_gets_the_same_bits_in_every_batch([ValueSource(nameof(KernelNames))] string kernel, [Values(DataType.Int4, DataType.Int8)] DataType type)
    {
        var matrix = new Matrix(33, 512, type, new() { GroupSize = 128, ZeroPoints = true });
        var x = Activations(9, 512);
        var alone = new float[33];
        Multiply(Select(kernel), matrix, x, alone, 1, new float[33], false);
        foreach (var n in TokenCounts)
        {
            var y = new float[n * 33];
            Multiply(Select(kernel), matrix, x, y, n, new float[33], false);
            Assert.That(y[..33], Is.EqualTo(alone), $"{n} tokens");
        }
    }

    [Test]
    public void Activations_of_zero_give_the_bias([ValueSource(nameof(KernelNames))] string kernel)
    {
        var matrix = new Matrix(16, 128, DataType.Int4, new() { GroupSize = 64, ZeroPoints = true });
        var y = new float[16];
        var bias = Activations(1, 16);
        Multiply(Select(kernel), matrix, new float[128], y, 1, bias, false);
        Assert.That(y, Is.EqualTo(bias));
    }

    private static Func<QuantizedLayout, QuantizedInput, MatMulKernel> Select(string name)
    {
        var (_, isSupported, create) = Kernels.Single(kernel => kernel.Name == name);
        if (!isSupported)
            Assert.Ignore($"this machine does not have {name}");
        return create;
    }

    private static MatMulKernel Create<TDot>(QuantizedLayout layout, QuantizedInput input)
        where TDot : struct, IByteDot => layout.Bits == 4
        ? new QuantizedMatMulKernel<TDot, Int4Code>(layout, input)
        : new QuantizedMatMulKernel<TDot, Int8Code>(layout, input);

    private static void Multiply(
        Func<QuantizedLayout, QuantizedInput, MatMulKernel> create, Matrix matrix, float[] x, float[] y, int n, float[] bias, bool accumulate)
    {
        var input = new QuantizedInput(matrix.Layout, matrix.Order);
        var rows = (byte*)NativeMemory.AlignedAlloc((nuint)(input.Bytes * n), 64);
        var scratch = (float*)NativeMemory.AlignedAlloc((nuint)QuantizedMatMul.ScratchFloats(matrix.Layout) * sizeof(float), 64);
        try
        {
            fixed (byte* w = matrix.Bytes)
            fixed (float* px = x, py = y, pb = bias)
            {
                for (var token = 0; token < n; token++)
                    input.Quantize(px + (token * matrix.Layout.Columns), rows + (token * input.Bytes));
                create(matrix.Layout, input).Run(
                    new() { PackedX = (float*)rows, W = w, Y = py, YStride = matrix.Layout.Rows, Bias = pb, Accumulate = accumulate, N = n, K = matrix.Layout.Columns },
                    0,
                    matrix.Layout.Rows,
                    scratch);
            }
        }
        finally
        {
            NativeMemory.AlignedFree(rows);
            NativeMemory.AlignedFree(scratch);
        }
    }

    /// <summary>Normal values with outliers.</summary>
    private static float[] Activations(int rows, int columns, int seed = 3)
    {
        var random = new Random(seed + columns);
        return [.. Enumerable.Range(0, rows * columns).Select(i => (float)TinyModel.Normal(random) * (i % 97 == 13 ? 30 : 1))];
    }

    /// <summary>Random codes in tiles, and what they stand for.</summary>
    private sealed class Matrix
    {
        private readonly double[,] weights;

        public Matrix(int rows, int columns, DataType type, Quantization quantization)
        {
            Layout = new(rows, columns, type, quantization);
            Bytes = new byte[Layout.Length];
            weights = new double[rows, columns];
            var random = new Random((rows * 1000) + columns);
            Order = quantization.Permuted ? [.. Enumerable.Range(0, columns)] : null;
            if (Order is not null)
            {
                random.Shuffle(Order);
                MemoryMarshal.AsBytes(Order.AsSpan()).CopyTo(Bytes.AsSpan((int)Layout.Order));
            }

            for (var row = 0; row < rows; row++)
            {
                for (var group = 0; group < Layout.Groups; group++)
                    Fill(random, row, group);
            }
        }

        public QuantizedLayout Layout { get; }

        public byte[] Bytes { get; }

        /// <summary>The input column of each stored one.</summary>
        public int[]? Order { get; }

        /// <summary>Rounded activations times exact weights.</summary>
        public double[] Reference(float[] x, int n)
        {
            var (rows, columns) = (Layout.Rows, Layout.Columns);
            var result = new double[n * rows];
            for (var token = 0; token < n; token++)
            {
                var input = Enumerable.Range(0, columns).Select(column => x[(token * columns) + (Order?[column] ?? column)]).ToArray();
                var rounded = new double[columns];
                for (var start = 0; start < columns; start += 16)
                {
                    var step = input[start..Math.Min(start + 16, columns)];
                    var max = step.Max(MathF.Abs);
                    for (var i = 0; i < step.Length; i++)
                        rounded[start + i] = max == 0 ? 0 : MathF.Round(step[i] * (127 / max)) * (double)(max / 127);
                }

                for (var row = 0; row < rows; row++)
                {
                    for (var column = 0; column < columns; column++)
                        result[(token * rows) + row] += weights[row, column] * rounded[column];
                }
            }

            return result;
        }

        private void Fill(Random random, int row, int group)
        {
            var size = Layout.Quantization.GroupSize;
            var scale = (Half)((random.NextSingle() - 0.3f) / (1 << Layout.Bits));
            var zero = Layout.Quantization.ZeroPoints ? random.Next(1 << Layout.Bits) : 1 << (Layout.Bits - 1);
            var index = Layout.GroupIndex(row, group);
            BitConverter.GetBytes(scale).CopyTo(Bytes, Layout.Scales + (2 * index));
            if (Layout.Quantization.ZeroPoints)
                Bytes[Layout.ZeroPoints + index] = (byte)zero;
            for (var column = group * size; column < (group + 1) * size; column++)
            {
                var code = random.Next(1 << Layout.Bits);
                var (place, shift) = Layout.Place(row % 16, column % Layout.TileColumns);
                Bytes[Layout.Tile(row / 16, column / Layout.TileColumns) + place] |= (byte)(code << shift);
                weights[row, column] = (code - zero) * (double)scale;
            }
        }
    }
}
