using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weft.Backends.Cpu;
using Weft.Backends.Cpu.Words;
using Weft.Backends.Cpu.MatMul;
using Weft.Backends.Cpu.Quantized;
using Weft.Reference;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Runtime.Tests.Backends;

/// <summary>
/// The product with quantized weights against its definition: activations rounded to 8 bits by sixteens, or to 16 bits by chunks, exact sums, the weights that the codes stand
/// for. On every instruction set of this machine, at odd sizes, over poisoned output.
/// </summary>
[TestFixture]
public sealed unsafe class QuantizedMatMulTests
{
    private const int UsualTokens = 32;
    private const string Amx = "AMX";
    private const string Vnni = "AVX-512 VNNI";

    private static readonly int[] TokenCounts = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31];

    // Rows below, at and above a tile's; columns of half a tile, whole ones, with a last tile that is not full, and groups of several chunks.
    private static readonly (int M, int K, int GroupSize)[] Sizes =
        [(1, 64, 64), (15, 128, 64), (16, 96, 32), (17, 320, 64), (33, 384, 128), (34, 192, 192), (5, 100, 100), (20, 1000, 1000), (48, 256, 32), (7, 15, 15), (18, 768, 256), (16, 224, 224)];

    private static readonly (string Name, bool IsSupported, Func<QuantizedLayout, QuantizedInput, MatMulKernel> Create)[] Kernels =
    [
        (Amx, InstructionSets.IsSupported(InstructionSet.Amx), (layout, input) => QuantizedMatMul.Create(layout, input, InstructionSet.Amx)),
        (Vnni, InstructionSets.IsSupported(InstructionSet.Vnni), (layout, input) => QuantizedMatMul.Create(layout, input, InstructionSet.Vnni)),
        ("AVX-512", Avx512BW.IsSupported, (layout, input) => QuantizedMatMul.Create(layout, input, InstructionSet.Vector512)),
        ("AVX-VNNI", AvxVnni.IsSupported, Create<ByteDotVnni>),
        ("AVX2", Avx2.IsSupported, Create<ByteDot256>),
        ("SSSE3", Ssse3.IsSupported, Create<ByteDot128>),
        ("plain", true, Create<ByteDotPlain>),
    ];

    private static IEnumerable<string> KernelNames => Kernels.Select(kernel => kernel.Name);

    [Test]
    public void Product_matches_its_definition(
        [ValueSource(nameof(KernelNames))] string kernel, [Values(DataType.Int4, DataType.Int8)] DataType type, [Values(0, 1, 2)] int zeroPointBytes, [Values] bool permuted)
    {
        foreach (var (m, k, groupSize) in Sizes)
        {
            var matrix = new QuantizedMatrix(m, k, type, new() { GroupSize = groupSize, ZeroPoints = zeroPointBytes > 0, Fractional = zeroPointBytes == 2, Permuted = permuted });
            // Of a single number, which may be nearly zero by chance, a relative error says nothing: what counts is the usual size.
            var usual = Math.Sqrt(Reference(kernel, matrix, Activations(UsualTokens, k), UsualTokens).Average(y => y * y));
            foreach (var n in TokenCounts)
            {
                var x = Activations(n, k);
                var bias = Activations(1, m);
                var before = Activations(n, m, seed: 5);
                foreach (var accumulate in (bool[])[false, true])
                {
                    var y = accumulate ? before.ToArray() : [.. Enumerable.Repeat(float.NaN, n * m)];
                    Multiply(kernel, matrix, x, y, n, bias, accumulate);
                    var expected = Reference(kernel, matrix, x, n);
                    for (var i = 0; i < expected.Length; i++)
                        expected[i] += bias[i % m] + (accumulate ? before[i] : 0);
                    var error = Math.Sqrt(y.Zip(expected, (a, b) => (a - b) * (a - b)).Average());
                    Assert.That(error / usual, Is.LessThan(2e-6), $"{m}×{k}, groups of {groupSize}, {n} tokens");
                }
            }
        }
    }

    [Test]
    public void A_token_gets_the_same_bits_in_every_batch(
        [ValueSource(nameof(KernelNames))] string kernel, [Values(DataType.Int4, DataType.Int8)] DataType type, [Values(0, 1, 2)] int zeroPointBytes)
    {
        foreach (var (m, k, groupSize) in Sizes)
        {
            var matrix = new QuantizedMatrix(m, k, type, new() { GroupSize = groupSize, ZeroPoints = zeroPointBytes > 0, Fractional = zeroPointBytes == 2 });
            var x = Activations(TokenCounts.Max(), k);
            var alone = new float[m];
            Multiply(kernel, matrix, x, alone, 1, new float[m], false);
            foreach (var n in TokenCounts)
            {
                var y = new float[n * m];
                Multiply(kernel, matrix, x, y, n, new float[m], false);
                Assert.That(y[..m], Is.EqualTo(alone), $"{m}×{k}, groups of {groupSize}, {n} tokens");
            }
        }
    }

    /// <summary>So many that a kernel takes them in several parts, of which the last must not be too small for it.</summary>
    [TestCase(128)]
    [TestCase(129)]
    [TestCase(257)]
    public void A_token_gets_the_same_bits_among_very_many(int n)
    {
        foreach (var kernel in KernelNames.Where(name => Kernels.Single(known => known.Name == name).IsSupported))
        {
            var matrix = new QuantizedMatrix(33, 192, DataType.Int4, new() { GroupSize = 64, ZeroPoints = true });
            var x = Activations(n, 192);
            var y = new float[n * 33];
            Multiply(kernel, matrix, x, y, n, new float[33], false);
            for (var token = 0; token < n; token++)
            {
                var alone = new float[33];
                Multiply(kernel, matrix, x[(token * 192)..((token + 1) * 192)], alone, 1, new float[33], false);
                Assert.That(y[(token * 33)..((token + 1) * 33)], Is.EqualTo(alone), $"{kernel}, token {token} of {n}");
            }
        }
    }

    /// <summary>Experts' rows are a part of a matrix, which may begin and end within tiles.</summary>
    [Test]
    public void A_part_of_the_rows_has_the_bits_of_the_whole([ValueSource(nameof(KernelNames))] string kernel, [Values(DataType.Int4, DataType.Int8)] DataType type)
    {
        var matrix = new QuantizedMatrix(48, 256, type, new() { GroupSize = 64, ZeroPoints = true });
        var x = Activations(9, 256);
        var bias = Activations(1, 48);
        var whole = new float[9 * 48];
        Multiply(kernel, matrix, x, whole, 9, bias, false);
        foreach (var (first, end) in new[] { (0, 5), (5, 37), (17, 30), (16, 48), (40, 48) })
        {
            float[] part = [.. Enumerable.Repeat(float.NaN, 9 * 48)];
            Multiply(kernel, matrix, x, part, 9, bias, false, first, end);
            for (var i = 0; i < part.Length; i++)
                Assert.That(part[i], Is.EqualTo(i % 48 >= first && i % 48 < end ? whole[i] : float.NaN), $"rows {first} to {end}, element {i}");
        }
    }

    [Test]
    public void Activations_of_zero_give_the_bias([ValueSource(nameof(KernelNames))] string kernel)
    {
        var matrix = new QuantizedMatrix(16, 128, DataType.Int4, new() { GroupSize = 64, ZeroPoints = true });
        var y = new float[16];
        var bias = Activations(1, 16);
        Multiply(kernel, matrix, new float[128], y, 1, bias, false);
        Assert.That(y, Is.EqualTo(bias));
    }

    private static Func<QuantizedLayout, QuantizedInput, MatMulKernel> Creator(string name)
    {
        var (_, isSupported, create) = Kernels.Single(kernel => kernel.Name == name);
        if (!isSupported)
            Assert.Ignore($"this machine does not have {name}");
        return create;
    }

    private static MatMulKernel Create<TDot>(QuantizedLayout layout, QuantizedInput input)
        where TDot : struct, IByteDot => layout.Bits == 4
        ? new NarrowQuantizedMatMulKernel<TDot, Int4Code>(layout, (ByteInput)input)
        : new NarrowQuantizedMatMulKernel<TDot, Int8Code>(layout, (ByteInput)input);

    private static void Multiply(
        string kernel, QuantizedMatrix matrix, float[] x, float[] y, int n, float[] bias, bool accumulate, int firstRow = 0, int? endRow = null)
    {
        var create = Creator(kernel);
        var order = matrix.Order?.ToArray();
        QuantizedInput input = kernel is Amx or Vnni ? new WordInput(matrix.Layout, order) : new ByteInput(matrix.Layout, order);
        var rows = (byte*)NativeMemory.AlignedAlloc((nuint)(input.Bytes * n), 64);
        var scratch = (float*)NativeMemory.AlignedAlloc((nuint)QuantizedMatMul.ScratchFloats(matrix.Layout) * sizeof(float), 64);
        try
        {
            fixed (byte* w = matrix.Bytes)
            fixed (float* px = x, py = y, pb = bias)
            {
                for (var token = 0; token < n; token++)
                    input.Quantize(px + (token * matrix.Layout.Columns), rows, token, n);
                create(matrix.Layout, input).Run(
                    new() { PackedX = (float*)rows, PackedRows = n, W = w, Y = py, YStride = matrix.Layout.Rows, Bias = pb, Accumulate = accumulate, N = n, K = matrix.Layout.Columns },
                    firstRow,
                    endRow ?? matrix.Layout.Rows,
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

    /// <summary>Activations rounded in the order of the stored columns, by sixteens or chunks, times exact weights.</summary>
    private static double[] Reference(string kernel, QuantizedMatrix matrix, float[] x, int n)
    {
        var group = matrix.Layout.Quantization.GroupSize;
        var (size, most) = kernel is not (Amx or Vnni) ? (16, 127) : (matrix.Layout.Groups == 1 || group % 128 == 0 ? 128 : group % 64 == 0 ? 64 : 32, 32639);
        var (columns, order) = (matrix.Layout.Columns, matrix.Order ?? [.. Enumerable.Range(0, matrix.Layout.Columns)]);
        var rounded = new double[n * columns];
        for (var token = 0; token < n; token++)
        {
            foreach (var step in order.Chunk(size))
            {
                var max = step.Max(column => MathF.Abs(x[(token * columns) + column]));
                foreach (var column in step)
                    rounded[(token * columns) + column] = max == 0 ? 0 : MathF.Round(x[(token * columns) + column] * (most / max)) * (double)(max / most);
            }
        }

        return ReferenceLinear.Apply(rounded, matrix.Weights, new double[matrix.Layout.Rows], columns);
    }
}
