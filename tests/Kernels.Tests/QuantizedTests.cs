using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Kernels.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Kernels.Tests;

/// <summary>kernels/quantized_gemv.cu, kernels/quantized_gemm.cu and kernels/dequantize.cu against the plain definition.</summary>
[TestFixture]
public sealed class QuantizedTests
{
    private const int Multiprocessors = 132;
    private const int Ampere = 80;
    private const int Hopper = 90;

    private static readonly DataType[] Types = [DataType.Float16, DataType.BFloat16];

    // Rows below, at and above a tile's; columns of half a tile, whole ones, and with a last tile that is not full; more tiles than warps have in one go.
    private static readonly (int M, int K, int GroupSize)[] Sizes =
        [(1, 64, 64), (15, 128, 64), (16, 96, 32), (17, 320, 64), (111, 384, 128), (5, 100, 100), (20, 1003, 1003), (33, 4096, 128), (7, 15, 15)];

    [Test]
    public void Few_rows_are_multiplied(
        [ValueSource(nameof(Types))] DataType type, [Values(DataType.Int4, DataType.Int8)] DataType codes, [Values(0, 1, 2)] int zeroPointBytes, [Values(1, 2, 3)] int seed)
    {
        var device = TestDevice.Open((ulong)seed);
        foreach (var (m, k, groupSize) in Sizes)
        {
            var matrix = new QuantizedMatrix(m, k, codes, new() { GroupSize = groupSize, ZeroPoints = zeroPointBytes > 0, Fractional = zeroPointBytes == 2 });
            foreach (var rows in (int[])[1, 5, 8])
            {
                foreach (var output in Enum.GetValues<GemvOutput>())
                    CheckProduct(device, type, matrix, rows, output);
            }
        }
    }

    // The inner dimension whole, and split over as many blocks as a large device wants.
    [Test]
    public void More_rows_are_multiplied(
        [ValueSource(nameof(Types))] DataType type, [Values(DataType.Int4, DataType.Int8)] DataType codes, [Values(0, 1, 2)] int zeroPointBytes, [Values(1, 132)] int multiprocessors,
        [Values(Ampere, Hopper)] int computeCapability)
    {
        var device = TestDevice.Open((ulong)multiprocessors);
        foreach (var (m, k, groupSize) in Sizes.Where(size => QuantizedGemmKernel.Fits(size.K)).Append((144, 1024, 128)))
        {
            var matrix = new QuantizedMatrix(m, k, codes, new() { GroupSize = groupSize, ZeroPoints = zeroPointBytes > 0, Fractional = zeroPointBytes == 2 });
            foreach (var rows in m == 144 ? [9, 64, 128] : (int[])[9, 14, 16, 17, 18, 19, 33, 65])
                CheckProduct(device, type, matrix, rows, Enum.GetValues<GemvOutput>()[rows % 3], multiprocessors, computeCapability);
        }
    }

    [Test]
    public void Parts_of_a_product_are_added_in_one_order([ValueSource(nameof(Types))] DataType type)
    {
        var matrix = new QuantizedMatrix(40, 4096, DataType.Int4, new() { GroupSize = 128, ZeroPoints = true });
        var x = Values.Random(new Random(4), 20 * 4096);
        float[] Of(ulong seed)
        {
            var device = TestDevice.Open(seed);
            using var weight = new DeviceMatrix(device, matrix);
            return Multiply(device, type, matrix, weight, x, 20);
        }

        Assert.That(QuantizedGemmKernel.Shape(20, 40, 4096, 4, false, Multiprocessors).GridZ, Is.GreaterThan(4));
        var first = Of(1);
        foreach (var seed in (ulong[])[2, 3, 4])
            Assert.That(Of(seed), Is.EqualTo(first));
    }

    [Test]
    public void Gate_multiplies_two_halves(
        [ValueSource(nameof(Types))] DataType type, [Values(DataType.Int4, DataType.Int8)] DataType codes, [Values(Activation.Silu, Activation.GeluTanh)] Activation activation,
        [Values(3, 12, 20, 70)] int rows, [Values(Ampere, Hopper)] int computeCapability)
    {
        var device = TestDevice.Open();
        const int Outputs = 48;
        const int K = 576;
        var matrix = new QuantizedMatrix(2 * Outputs, K, codes, new() { GroupSize = 64, ZeroPoints = true });
        using var weight = new DeviceMatrix(device, matrix);
        var x = Values.Random(new Random(2), rows * K);
        var product = ReferenceLinear.Apply(Values.Round(x, type), matrix.Weights, new double[2 * Outputs], K);
        var expected = new double[rows * Outputs];
        for (var i = 0; i < expected.Length; i++)
        {
            var at = (i / Outputs * 2 * Outputs) + (i % Outputs);
            expected[i] = ReferenceActivation.Apply(activation, product[at]) * product[at + Outputs];
        }

        using var px = device.Upload(Values.Encode(x, type));
        using var y = device.Poisoned<ushort>(expected.Length);
        Run(device, type, matrix, activation, null, Multiprocessors, computeCapability, new()
        {
            X = px.Address,
            Weight = weight.Weight,
            Y = y.Address,
            Rows = rows,
            Outputs = Outputs,
            Inner = K,
            UpBlock = Outputs / 16,
            XStride = K,
            YStride = Outputs,
        });
        Assert.That(ErrorMeasure.RelativeRms(Values.Decode(y.Download(), type), expected), Is.LessThan((2 * Values.Rounding(type)) + 1e-5));
    }

    [Test]
    public void A_row_has_the_same_bits_in_every_batch(
        [ValueSource(nameof(Types))] DataType type, [Values(DataType.Int4, DataType.Int8)] DataType codes, [Values(128, 1024)] int k, [Values(1, 132)] int multiprocessors)
    {
        var device = TestDevice.Open((ulong)multiprocessors);
        var matrix = new QuantizedMatrix(40, k, codes, new() { GroupSize = 64, ZeroPoints = true });
        using var weight = new DeviceMatrix(device, matrix);
        var x = Values.Random(new Random(4), 150 * k);
        var alone = new List<float>();
        for (var row = 0; row < 150; row += 8)
            alone.AddRange(Multiply(device, type, matrix, weight, x[(row * k)..], Math.Min(8, 150 - row), multiprocessors));
        foreach (var rows in (int[])[1, 3, 9, 17, 40, 65, 150])
            Assert.That(Multiply(device, type, matrix, weight, x, rows, multiprocessors), Is.EqualTo(alone[..(rows * 40)]), $"{rows} rows");
    }

    [Test]
    public void Codes_become_numbers(
        [ValueSource(nameof(Types))] DataType type, [Values(DataType.Int4, DataType.Int8)] DataType codes, [Values(0, 1, 2)] int zeroPointBytes, [Values] bool permuted)
    {
        var device = TestDevice.Open();
        foreach (var (m, k, groupSize) in Sizes)
        {
            var matrix = new QuantizedMatrix(m, k, codes, new() { GroupSize = groupSize, ZeroPoints = zeroPointBytes > 0, Fractional = zeroPointBytes == 2, Permuted = permuted });
            using var weight = new DeviceMatrix(device, matrix);
            var stride = ((k + 7) / 8 * 8) + 8;
            using var y = device.Poisoned<ushort>(m * stride);
            device.Run(DequantizeKernel.Instance(type, Codes(matrix)), DequantizeKernel.Shape(matrix.Layout.ColumnTiles, matrix.Layout.RowBlocks), new DequantizeParams
            {
                Weight = weight.Weight,
                Y = y.Address,
                Rows = m,
                Columns = k,
                Stride = stride,
            });
            var stored = y.Download();
            Assert.That(Values.Between(stored, k, stride), Has.All.EqualTo(ushort.MaxValue));
            var expected = Values.Round(Array.ConvertAll(matrix.Weights.ToArray(), w => (float)w), type);
            Assert.That(Values.Decode(Values.Unstrided(stored, k, stride), type), Is.EqualTo(expected), $"{m}×{k}, groups of {groupSize}");
        }
    }

    [Test]
    public void Columns_are_put_in_order([ValueSource(nameof(Types))] DataType type)
    {
        var device = TestDevice.Open();
        const int Rows = 3;
        foreach (var k in (int[])[1, 15, 16, 17, 111, 1003])
        {
            var order = Enumerable.Range(0, k).ToArray();
            new Random(k).Shuffle(order);
            var x = Values.Encode(Values.Random(new Random(k), Rows * k), type);
            using var px = device.Upload(x);
            using var pOrder = device.Upload(order);
            using var y = device.Poisoned<ushort>(Rows * (k + 3));
            device.Run(DequantizeKernel.OrderColumns(type), DequantizeKernel.OrderShape(Rows), new OrderColumnsParams
            {
                X = px.Address, Order = pOrder.Address, Y = y.Address, Columns = k, XStride = k, YStride = k + 3,
            });
            var expected = Enumerable.Range(0, Rows).SelectMany(row => order.Select(column => x[(row * k) + column]));
            Assert.That(Values.Unstrided(y.Download(), k, k + 3), Is.EqualTo(expected));
        }
    }

    private static void CheckProduct(TestDevice device, DataType type, QuantizedMatrix matrix, int rows, GemvOutput output, int multiprocessors = Multiprocessors,
        int computeCapability = Ampere)
    {
        var (m, k) = (matrix.Layout.Rows, matrix.Layout.Columns);
        using var weight = new DeviceMatrix(device, matrix);
        var random = new Random(k);
        var x = Values.Random(random, rows * k);
        var bias = Values.Random(random, m);
        var (xStride, yStride) = (((k + 7) / 8 * 8) + 8, m + 5);
        using var px = device.Upload(Values.Strided(Values.Encode(x, type), k, xStride, ushort.MaxValue));
        using var pb = device.Upload(bias);
        var parameters = new QuantizedGemvParams
        {
            X = px.Address,
            Weight = weight.Weight,
            Bias = pb.Address,
            Rows = rows,
            Outputs = m,
            Inner = k,
            XStride = xStride,
            YStride = yStride,
        };
        var expected = ReferenceLinear.Apply(Values.Round(x, type), matrix.Weights, Array.ConvertAll(bias, b => (double)b), k);
        double[] actual;
        if (output == GemvOutput.StoreHalf)
        {
            using var y = device.Poisoned<ushort>(rows * yStride);
            Run(device, type, matrix, null, output, multiprocessors, computeCapability, parameters with { Y = y.Address });
            var stored = y.Download();
            Assert.That(Values.Between(stored, m, yStride), Has.All.EqualTo(ushort.MaxValue));
            actual = Values.Decode(Values.Unstrided(stored, m, yStride), type);
        }
        else
        {
            var before = Values.Random(random, rows * m);
            using var y = device.Upload(Values.Strided(before, m, yStride, float.NaN));
            Run(device, type, matrix, null, output, multiprocessors, computeCapability, parameters with { Y = y.Address });
            var stored = y.Download();
            Assert.That(Values.Between(stored, m, yStride), Has.All.NaN);
            actual = Array.ConvertAll(Values.Unstrided(stored, m, yStride), v => (double)v);
            if (output == GemvOutput.Accumulate)
                expected = [.. expected.Zip(before, (value, old) => value + old)];
        }

        Assert.That(
            ErrorMeasure.RelativeRms(actual, expected),
            Is.LessThan((output == GemvOutput.StoreHalf ? 2 * Values.Rounding(type) : 0) + (matrix.Layout.Quantization.Fractional ? Values.Rounding(type) : 0) + 1e-6),
            $"{type} {output} {m}×{k}, groups of {matrix.Layout.Quantization.GroupSize}, {rows} rows");
    }

    private static float[] Multiply(TestDevice device, DataType type, QuantizedMatrix matrix, DeviceMatrix weight, float[] x, int rows, int multiprocessors = Multiprocessors)
    {
        var (m, k) = (matrix.Layout.Rows, matrix.Layout.Columns);
        using var px = device.Upload(Values.Encode(x, type));
        using var y = device.Poisoned<float>(rows * m);
        Run(device, type, matrix, null, GemvOutput.StoreFloat, multiprocessors, QuantizedGemmKernel.InvariantCapability, new()
        {
            X = px.Address, Weight = weight.Weight, Y = y.Address, Rows = rows, Outputs = m, Inner = k, XStride = k, YStride = m,
        });
        return y.Download();
    }

    private static CodeMeaning Codes(QuantizedMatrix matrix) => new(matrix.Layout.Bits == 8 ? DataType.Int8 : DataType.Int4, matrix.Layout.Quantization.Fractional);

    /// <summary>The kernel for so many rows; with an activation it is gated.</summary>
    private static void Run(
        TestDevice device, DataType type, QuantizedMatrix matrix, Activation? gate, GemvOutput? output, int multiprocessors, int computeCapability,
        QuantizedGemvParams p)
    {
        var codes = Codes(matrix);
        if (p.Rows <= QuantizedGemvKernel.MostRows)
        {
            device.Run(
                gate is { } few ? QuantizedGemvKernel.Gated(type, codes, few) : QuantizedGemvKernel.Instance(type, codes, output!.Value),
                QuantizedGemvKernel.Shape(p.Outputs, gate is not null), p);
            return;
        }

        if (computeCapability == Hopper && device.Context.Device.ComputeCapability != Hopper)
            Assert.Ignore("wgmma needs compute capability 9.0");
        var shape = QuantizedGemmKernel.Shape(p.Rows, p.Outputs, p.Inner, codes.Bits, gate is not null, multiprocessors);
        using var partial = device.Poisoned<byte>((int)Math.Max(16, QuantizedGemmKernel.PartialBytes(shape, p.Rows)));
        using var counters = device.Upload(new int[QuantizedGemmKernel.Counters(matrix.Layout.Rows)]);
        device.Run(
            gate is { } some ? QuantizedGemmKernel.Gated(type, codes, p.Rows, some, computeCapability) : QuantizedGemmKernel.Instance(type, codes, p.Rows, output!.Value, computeCapability),
            shape, new QuantizedGemmParams
            {
                X = p.X,
                Weight = p.Weight,
                Bias = p.Bias,
                Y = p.Y,
                Partial = partial.Address,
                Counters = counters.Address,
                Rows = p.Rows,
                Outputs = p.Outputs,
                Inner = p.Inner,
                UpBlock = p.UpBlock,
                XStride = p.XStride,
                YStride = p.YStride,
            });
        Assert.That(counters.Download(), Has.All.Zero);
        Assert.That(
            QuantizedGemmKernel.PartialBytes(shape, p.Rows),
            Is.LessThanOrEqualTo(QuantizedGemmKernel.MostPartialBytes(matrix.Layout.Rows, p.Inner, codes.Bits, gate is not null, multiprocessors)));
    }

    /// <summary>A matrix's parts in memory of their own, so that reading beyond one is caught.</summary>
    private sealed class DeviceMatrix : IDisposable
    {
        private readonly List<DeviceArray<byte>> parts = [];

        public DeviceMatrix(TestDevice device, QuantizedMatrix matrix)
        {
            var layout = matrix.Layout;
            var groupRows = layout.RowBlocks * layout.Groups * QuantizedLayout.TileRows;
            nuint Part(long start, long length)
            {
                var part = device.Upload(matrix.Bytes.Slice((int)start, (int)length));
                parts.Add(part);
                return part.Address;
            }

            Weight = new()
            {
                Codes = Part(0, (long)layout.RowBlocks * layout.ColumnTiles * QuantizedLayout.TileBytes),
                Scales = Part(layout.Scales, groupRows * sizeof(ushort)),
                ZeroPoints = layout.Quantization.ZeroPoints ? Part(layout.ZeroPoints, groupRows * layout.ZeroPointBytes) : 0,
                Order = layout.Quantization.Permuted ? Part(layout.Order, layout.Columns * sizeof(int)) : 0,
                Tiles = layout.ColumnTiles,
                Groups = layout.Groups,
                GroupSize = layout.Quantization.GroupSize,
            };
        }

        public QuantizedWeight Weight { get; }

        public void Dispose() => parts.ForEach(part => part.Dispose());
    }
}
