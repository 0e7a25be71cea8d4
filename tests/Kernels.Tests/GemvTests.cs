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
    // So few that blocks with normed rows take several tiles each.
    private const int Multiprocessors = 1;
    private static readonly DataType[] Types = [DataType.Float16, DataType.BFloat16];

    // The largest K has each warp fill its loads under way more than once, the largest M is more tiles than blocks.
    private static readonly (int K, int M)[] Sizes =
        [(1, 1), (15, 17), (16, 15), (17, 16), (111, 111), (256, 40), (1003, 5), (5, 1003), (2055, 33)];

    [Test]
    public void Plain_product_is_stored_and_accumulated(
        [ValueSource(nameof(Types))] DataType type, [Values(1, 2, 3, 8)] int rows, [Values(1, 2)] int sets, [Values(1, 2, 3)] int seed)
    {
        var device = TestDevice.Open((ulong)seed);
        foreach (var (k, m) in Sizes)
        {
            foreach (var output in Enum.GetValues<GemvOutput>())
                CheckProduct(new(device, type, rows, k, m, m), sets, GemvInput.PlainInput, output);
        }
    }

    [Test]
    public void Normed_product_is_stored_and_accumulated(
        [ValueSource(nameof(Types))] DataType type, [Values(1, 5)] int rows, [Values(1, 2)] int sets)
    {
        var device = TestDevice.Open();
        foreach (var (k, m) in Sizes)
        {
            foreach (var output in Enum.GetValues<GemvOutput>())
                CheckProduct(new(device, type, rows, k, m, m), sets, GemvInput.RmsInput, output);
        }
    }

    [Test]
    public void Gate_multiplies_two_halves_of_a_product(
        [ValueSource(nameof(Types))] DataType type, [Values(1, 4, 7)] int rows, [Values(Activation.Silu, Activation.GeluTanh)] Activation activation,
        [Values] bool normed)
    {
        var device = TestDevice.Open();
        foreach (var (k, m) in Sizes)
            CheckGate(new(device, type, rows, k, m, 2 * m), normed ? GemvInput.RmsInput : GemvInput.PlainInput, activation);
    }

    [Test]
    public void A_row_has_the_same_bits_in_every_batch([ValueSource(nameof(Types))] DataType type, [Values(1, 2, 3)] int seed)
    {
        var device = TestDevice.Open((ulong)seed);
        const int K = 1003;
        const int M = 77;
        using var c = new ProductCase(device, type, 8, K, M, M);
        var alone = c.Floats(GemvInput.PlainInput, 1, 1, Multiprocessors)[..M];
        foreach (var (rows, sets) in new[] { (1, 2), (2, 1), (3, 2), (4, 2), (8, 2), (8, 1) })
            Assert.That(c.Floats(GemvInput.PlainInput, rows, sets, Multiprocessors)[..M], Is.EqualTo(alone), $"{rows} rows, {sets} sets");
        var normed = c.Floats(GemvInput.RmsInput, 1, 1, 132)[..M];
        foreach (var (rows, sets) in new[] { (1, 2), (3, 2), (8, 2), (8, 1) })
            Assert.That(c.Floats(GemvInput.RmsInput, rows, sets, Multiprocessors)[..M], Is.EqualTo(normed), $"{rows} normed rows, {sets} sets");
    }

    [Test]
    public void Larger_tiles_are_taken_only_where_every_multiprocessor_keeps_its_share()
    {
        Assert.That(GemvKernel.Sets(2048, 132), Is.EqualTo(1));
        Assert.That(GemvKernel.Sets(4096, 132), Is.EqualTo(1));
        Assert.That(GemvKernel.Sets(6144, 132), Is.EqualTo(1), "192 tiles of 32 rows would leave 72 multiprocessors idle half the time");
        Assert.That(GemvKernel.Sets(8192, 132), Is.EqualTo(2));
        Assert.That(GemvKernel.Sets(128256, 132), Is.EqualTo(2));
    }

    private static void CheckProduct(ProductCase c, int sets, GemvInput input, GemvOutput output)
    {
        using var _ = c;
        var expected = ReferenceLinear.Apply(c.Input(input), Values.Round(c.W, c.Type), Array.ConvertAll(c.B, b => (double)b), c.K);
        var instance = GemvKernel.Instance(c.Type, sets, input, output);
        var shape = GemvKernel.Shape(c.Rows, c.M, c.K, sets, input, Multiprocessors);
        var yStride = ((c.M + 7) / 8 * 8) + 8;
        var what = $"{instance.Expression} K {c.K} M {c.M}";
        double[] actual;
        if (output == GemvOutput.StoreHalf)
        {
            using var y = c.Device.Poisoned<ushort>(c.Rows * yStride);
            c.Device.Run(instance, shape, c.Parameters(input, c.Rows) with { Y = y.Address, YStride = yStride });
            var stored = y.Download();
            Assert.That(Values.Between(stored, c.M, yStride), Has.All.EqualTo(ushort.MaxValue), what);
            actual = Values.Decode(Values.Unstrided(stored, c.M, yStride), c.Type);
        }
        else
        {
            var before = Values.Random(new Random(c.K), c.Rows * c.M);
            using var y = c.Device.Upload(Values.Strided(before, c.M, yStride, float.NaN));
            c.Device.Run(instance, shape, c.Parameters(input, c.Rows) with { Y = y.Address, YStride = yStride });
            var stored = y.Download();
            Assert.That(Values.Between(stored, c.M, yStride), Has.All.NaN, what);
            actual = Array.ConvertAll(Values.Unstrided(stored, c.M, yStride), v => (double)v);
            if (output == GemvOutput.Accumulate)
                expected = [.. expected.Zip(before, (value, old) => value + old)];
        }

        // Sums of K products in float32, then one rounding.
        var tolerance = (output == GemvOutput.StoreHalf ? 2 * Values.Rounding(c.Type) : 0) + 1e-6;
        Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(tolerance), what);
    }

    private static void CheckGate(ProductCase c, GemvInput input, Activation activation)
    {
        using var _ = c;
        var product = ReferenceLinear.Apply(c.Input(input), Values.Round(c.W, c.Type), Array.ConvertAll(c.B, b => (double)b), c.K);
        var expected = new double[c.Rows * c.M];
        for (var row = 0; row < c.Rows; row++)
        {
            for (var i = 0; i < c.M; i++)
            {
                var gate = product[(row * 2 * c.M) + i];
                expected[(row * c.M) + i] = Activate(gate, activation) * product[(row * 2 * c.M) + c.M + i];
            }
        }

        var yStride = c.M + 3;
        using var y = c.Device.Poisoned<ushort>(c.Rows * yStride);
        c.Device.Run(
            GemvKernel.Gated(c.Type, input, activation),
            GemvKernel.GatedShape(c.Rows, c.M, c.K, input, Multiprocessors),
            c.Parameters(input, c.Rows) with { Y = y.Address, YStride = yStride });
        var stored = y.Download();
        Assert.That(Values.Between(stored, c.M, yStride), Has.All.EqualTo(ushort.MaxValue));
        // The result is rounded, and the activation amplifies what float32 sums lose.
        Assert.That(
            ErrorMeasure.RelativeRms(Values.Decode(Values.Unstrided(stored, c.M, yStride), c.Type), expected),
            Is.LessThan((2 * Values.Rounding(c.Type)) + 1e-5),
            $"K {c.K} M {c.M}");
    }

    private static double Activate(double x, Activation activation) => activation == Activation.Silu
        ? x / (1 + Math.Exp(-x))
        : 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x))));
}
