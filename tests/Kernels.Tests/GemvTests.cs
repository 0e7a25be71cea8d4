using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests;

/// <summary>kernels/gemv.cu against the plain definition.</summary>
[TestFixture]
public sealed class GemvTests
{
    private const float Epsilon = 1e-5f;
    private static readonly DataType[] Types = [DataType.Float16, DataType.BFloat16];
    private static readonly (int K, int M)[] Sizes = [(1, 1), (15, 17), (16, 15), (17, 16), (111, 111), (256, 40), (1003, 5)];

    [Test]
    public void Plain_product_is_stored_and_accumulated(
        [ValueSource(nameof(Types))] DataType type, [Values(1, 2, 3, 8)] int rows, [Values(1, 2, 4)] int rowsPerWarp, [Values(1, 2, 3)] int seed)
    {
        var device = TestDevice.Open((ulong)seed);
        foreach (var (k, m) in Sizes)
        {
            foreach (var output in Enum.GetValues<GemvOutput>())
                CheckPlain(device, type, rows, rowsPerWarp, k, m, output);
        }
    }

    [Test]
    public void Gate_multiplies_two_halves_of_a_normed_product(
        [ValueSource(nameof(Types))] DataType type, [Values(1, 4, 7)] int rows, [Values(1, 2)] int rowsPerWarp)
    {
        var device = TestDevice.Open();
        foreach (var (k, m) in Sizes)
            CheckGate(device, type, rows, rowsPerWarp, k, m);
    }

    [Test]
    public void A_row_has_the_same_bits_in_every_batch([ValueSource(nameof(Types))] DataType type)
    {
        var device = TestDevice.Open();
        const int K = 1003;
        const int M = 37;
        var random = new Random(5);
        var x = Values.Encode(Values.Random(random, 8 * K), type);
        var w = Values.Encode(Values.Random(random, M * K), type);
        var alone = Run(device, type, x[..K], w, 1, 1, K, M);
        foreach (var (rows, rowsPerWarp) in new[] { (2, 1), (4, 2), (8, 4), (8, 1) })
            Assert.That(Run(device, type, x[..(rows * K)], w, rows, rowsPerWarp, K, M)[..M], Is.EqualTo(alone), $"{rows} rows, {rowsPerWarp} a warp");
    }

    private static float[] Run(TestDevice device, DataType type, ushort[] x, ushort[] w, int rows, int rowsPerWarp, int k, int m)
    {
        var stride = (k + 7) / 8 * 8;
        using var px = device.Upload(Values.Strided(x, k, stride, ushort.MaxValue));
        using var pw = device.Upload(Values.Strided(w, k, stride, (ushort)0));
        using var py = device.Poisoned<float>(rows * m);
        device.Run(
            GemvKernel.Instance(type, rows, rowsPerWarp, GemvInput.PlainInput, GemvOutput.StoreFloat),
            GemvKernel.Shape(rows, m, k, rowsPerWarp),
            new GemvParams { X = px.Address, Weight = pw.Address, Y = py.Address, Rows = rows, Outputs = m, Inner = k, XStride = stride, WStride = stride, YStride = m });
        return py.Download();
    }

    private static void CheckPlain(TestDevice device, DataType type, int rows, int rowsPerWarp, int k, int m, GemvOutput output)
    {
        var random = new Random(k);
        var x = Values.Random(random, rows * k);
        var w = Values.Random(random, m * k);
        var bias = Values.Random(random, m);
        var before = Values.Random(random, rows * m);
        var stride = ((k + 7) / 8 * 8) + 8;
        var yStride = ((m + 7) / 8 * 8) + 8;
        using var px = device.Upload(Values.Strided(Values.Encode(x, type), k, stride, ushort.MaxValue));
        using var pw = device.Upload(Values.Strided(Values.Encode(w, type), k, stride, (ushort)0));
        using var pb = device.Upload(bias);
        var expected = ReferenceLinear.Apply(Values.Round(x, type), Values.Round(w, type), Array.ConvertAll(bias, b => (double)b), k);
        var parameters = new GemvParams
        {
            X = px.Address,
            Weight = pw.Address,
            Bias = pb.Address,
            Rows = rows,
            Outputs = m,
            Inner = k,
            XStride = stride,
            WStride = stride,
            YStride = yStride,
        };
        var instance = GemvKernel.Instance(type, rows, rowsPerWarp, GemvInput.PlainInput, output);
        var shape = GemvKernel.Shape(rows, m, k, rowsPerWarp);
        var what = $"{instance.Expression} K {k} M {m}";
        double[] actual;
        if (output == GemvOutput.StoreHalf)
        {
            using var y = device.Poisoned<ushort>(rows * yStride);
            device.Run(instance, shape, parameters with { Y = y.Address });
            var stored = y.Download();
            Assert.That(Values.Between(stored, m, yStride), Has.All.EqualTo(ushort.MaxValue), what);
            actual = Values.Decode(Values.Unstrided(stored, m, yStride), type);
        }
        else
        {
            using var y = device.Upload(Values.Strided(before, m, yStride, float.NaN));
            device.Run(instance, shape, parameters with { Y = y.Address });
            var stored = y.Download();
            Assert.That(Values.Between(stored, m, yStride), Has.All.NaN, what);
            actual = Array.ConvertAll(Values.Unstrided(stored, m, yStride), v => (double)v);
            if (output == GemvOutput.Accumulate)
                expected = [.. expected.Zip(before, (value, old) => value + old)];
        }

        // Sums of K products in float32, then one rounding.
        var tolerance = (output == GemvOutput.StoreHalf ? 2 * Values.Rounding(type) : 0) + 1e-6;
        Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(tolerance), what);
    }

    private static void CheckGate(TestDevice device, DataType type, int rows, int rowsPerWarp, int k, int m)
    {
        var random = new Random(k);
        var x = Values.Random(random, rows * k, 3);
        var norm = Values.Random(random, k);
        var w = Values.Random(random, 2 * m * k, 0.5f / MathF.Sqrt(k)); // gates near 0, where silu does not magnify their error
        var stride = (k + 7) / 8 * 8;
        var normed = ReferenceNorm.Rms(Array.ConvertAll(x, v => (double)v), Array.ConvertAll(norm, v => (double)v), Epsilon);
        var product = ReferenceLinear.Apply(normed, Values.Round(w, type), [], k);
        var expected = new double[rows * m];
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < m; i++)
            {
                var gate = product[(row * 2 * m) + i];
                expected[(row * m) + i] = gate / (1 + Math.Exp(-gate)) * product[(row * 2 * m) + m + i];
            }
        }

        using var px = device.Upload(Values.Strided(x, k, stride, float.NaN));
        using var pn = device.Upload(norm);
        using var pw = device.Upload(Values.Strided(Values.Encode(w, type), k, stride, (ushort)0));
        using var py = device.Poisoned<ushort>(rows * m);
        device.Run(
            GemvKernel.Gated(type, rows, rowsPerWarp, GemvInput.RmsInput, Activation.Silu),
            GemvKernel.GatedShape(rows, m, k, rowsPerWarp),
            new GemvParams
            {
                X = px.Address,
                Weight = pw.Address,
                NormWeight = pn.Address,
                Y = py.Address,
                Rows = rows,
                Outputs = m,
                Inner = k,
                XStride = stride,
                WStride = stride,
                YStride = m,
                Epsilon = Epsilon,
            });
        // The normed row, both products and the result are rounded.
        Assert.That(
            ErrorMeasure.RelativeRms(Values.Decode(py.Download(), type), expected), Is.LessThan(8 * Values.Rounding(type)), $"K {k} M {m}");
    }
}
