using System.Runtime.InteropServices;
using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Kernels.Tests;

/// <summary>kernels/gemm.cu against kernels/gemv.cu, whose bits it gives; that one is held to the definition.</summary>
[TestFixture]
public sealed class GemmTests
{
    private const int Margin = 3;
    private static readonly DataType[] Types = [DataType.Float16, DataType.BFloat16];

    // Fewer chunks of K than phases, as many, and several of each; a last chunk that is not full; tiles of W that are not.
    private static readonly (int K, int M)[] Sizes = [(1, 1), (15, 17), (32, 128), (111, 111), (256, 40), (1003, 5), (5, 1003), (2055, 133)];

    [Test]
    public void Rows_get_the_bits_that_they_get_alone(
        [ValueSource(nameof(Types))] DataType type, [Values(9, 33, 64, 130)] int rows, [Values(1, 132)] int multiprocessors)
    {
        var device = TestDevice.Open((ulong)rows);
        foreach (var (k, m) in Sizes)
        {
            if (rows > 64 && k * m > 30_000)
                continue; // what matters in larger ones has been seen with fewer rows
            using var c = new ProductCase(device, type, rows, k, m, m);
            foreach (var output in Enum.GetValues<GemvOutput>())
            {
                var (expected, actual) = (Alone(c, GemvInput.PlainInput, output, null), Together(c, GemvInput.PlainInput, output, null, multiprocessors));
                Assert.That(actual, Is.EqualTo(expected), $"{output} K {k} M {m}");
            }
        }
    }

    [Test]
    public void Normed_rows_get_the_bits_that_they_get_alone(
        [ValueSource(nameof(Types))] DataType type, [Values(9, 33, 70)] int rows, [Values(1, 132)] int multiprocessors)
    {
        var device = TestDevice.Open();
        foreach (var (k, m) in new[] { (15, 17), (111, 111), (256, 40), (2055, 17) })
        {
            using var c = new ProductCase(device, type, rows, k, m, m);
            Assert.That(
                Together(c, GemvInput.RmsInput, GemvOutput.StoreFloat, null, multiprocessors),
                Is.EqualTo(Alone(c, GemvInput.RmsInput, GemvOutput.StoreFloat, null)), $"K {k} M {m}");
        }
    }

    [Test]
    public void Gated_rows_get_the_bits_that_they_get_alone(
        [ValueSource(nameof(Types))] DataType type, [Values(9, 40, 70)] int rows, [Values(1, 132)] int multiprocessors,
        [Values(Activation.Silu, Activation.GeluTanh)] Activation activation)
    {
        var device = TestDevice.Open();
        foreach (var (k, m) in new[] { (15, 17), (111, 64), (1003, 70) })
        {
            using var c = new ProductCase(device, type, rows, k, m, 2 * m);
            Assert.That(Together(c, GemvInput.PlainInput, null, activation, multiprocessors), Is.EqualTo(Alone(c, GemvInput.PlainInput, null, activation)), $"K {k} M {m}");
        }
    }

    [Test]
    public void Sums_are_shared_out_where_blocks_are_few()
    {
        Assert.That(GemmKernel.Shape(16, 1, 4096, false, 132).GridZ, Is.EqualTo(8));
        Assert.That(GemmKernel.Shape(64, 1, 14336, true, 132).GridZ, Is.EqualTo(1));
        Assert.That(GemmKernel.Shape(2048, 2, 4096, false, 132).GridZ, Is.EqualTo(1));
        Assert.That(GemmKernel.MostPartialBytes(512, 4096, false, 132), Is.EqualTo(8L * 64 * 4096 * sizeof(float)));
    }

    /// <summary>What gemm stores.</summary>
    private static byte[] Together(ProductCase c, GemvInput input, GemvOutput? output, Activation? gate, int multiprocessors)
    {
        using var y = Target(c, output);
        using var normed = input == GemvInput.RmsInput ? c.Normed() : null;
        var parts = c.Parts(input);
        var shape = GemmKernel.Shape(c.Rows, parts, c.M, gate is not null, multiprocessors);
        using var partial = c.Device.Poisoned<byte>((int)Math.Max(16, GemmKernel.PartialBytes(shape, c.Rows)));
        using var counters = c.Device.Upload(new int[GemmKernel.Counters(gate is null ? c.M : 2 * c.M)]);
        var parameters = c.Parameters(GemvInput.PlainInput, c.Rows);
        c.Device.Run(
            gate is { } activation ? GemmKernel.Gated(c.Type, c.Rows, parts, activation) : GemmKernel.Instance(c.Type, c.Rows, parts, output!.Value),
            shape, new GemmParams
            {
                X = normed?.Address ?? parameters.X,
                Low = c.Low,
                Drawn = parameters.Drawn,
                Weight = parameters.Weight,
                Bias = parameters.Bias,
                Y = y.Address,
                Partial = partial.Address,
                Counters = counters.Address,
                Rows = c.Rows,
                Outputs = c.M,
                Inner = c.K,
                XStride = parameters.XStride,
                WStride = parameters.WStride,
                YStride = c.M + Margin,
            });
        Assert.That(counters.Download(), Has.All.Zero);
        return y.Download();
    }

    /// <summary>What gemv stores, some rows at a time.</summary>
    private static byte[] Alone(ProductCase c, GemvInput input, GemvOutput? output, Activation? gate)
    {
        using var y = Target(c, output);
        var parameters = c.Parameters(input, c.Rows);
        for (var row = 0; row < c.Rows; row += GemvKernel.MostRows)
        {
            var rows = Math.Min(GemvKernel.MostRows, c.Rows - row);
            c.Device.Run(
                gate is { } activation ? GemvKernel.Gated(c.Type, input, activation) : GemvKernel.Instance(c.Type, 1, input, output!.Value),
                gate is null ? GemvKernel.Shape(rows, c.M, c.K, 1, input, 1) : GemvKernel.GatedShape(rows, c.M, c.K, input, 1),
                parameters with
                {
                    X = parameters.X + (nuint)(row * c.Stride * (input == GemvInput.RmsInput ? sizeof(float) : sizeof(ushort))),
                    Drawn = parameters.Drawn + (nuint)(row * sizeof(int)),
                    Y = y.Address + (nuint)(row * (c.M + Margin) * Size(output)),
                    YStride = c.M + Margin,
                    Rows = rows,
                });
        }

        return y.Download();
    }

    // [N, M] with a margin: whatever is added to, or should stay.
    private static DeviceArray<byte> Target(ProductCase c, GemvOutput? output)
    {
        var before = new float[c.Rows * (c.M + Margin) * Size(output) / sizeof(float) + 1];
        Array.Fill(before, 0.25f);
        return c.Device.Upload(MemoryMarshal.AsBytes(before.AsSpan()));
    }

    private static int Size(GemvOutput? output) => output is null or GemvOutput.StoreHalf ? sizeof(ushort) : sizeof(float);
}
