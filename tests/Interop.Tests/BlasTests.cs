using Weft.Interop.Tests.Support;
using Weft.Reference;

namespace Weft.Interop.Tests;

/// <summary>Products through cuBLASLt's functions against the plain definition: how shapes, strides and epilogues are handed over.</summary>
[TestFixture]
public sealed class BlasTests
{
    private static readonly (int N, int M, int K)[] Sizes = [(1, 1, 1), (3, 5, 7), (16, 24, 40), (17, 9, 111)];

    [Test]
    public void A_product_matches_its_definition(
        [Values(MatrixType.Float32, MatrixType.Float16, MatrixType.BFloat16)] MatrixType input,
        [Values] bool floatOutput,
        [Values] bool bias,
        [Values] bool accumulate,
        [Values] ProductActivation activation)
    {
        using var device = SimulatedDevice.Open();
        using var blas = new CudaBlas(device.Context);
        foreach (var (n, m, k) in Sizes)
            Check(device, blas, n, m, k, input, floatOutput ? MatrixType.Float32 : input, bias, accumulate, activation, batches: 1);
    }

    [Test]
    public void Batches_lie_their_strides_apart([Values(MatrixType.Float16, MatrixType.BFloat16)] MatrixType input)
    {
        using var device = SimulatedDevice.Open();
        using var blas = new CudaBlas(device.Context);
        Check(device, blas, 5, 6, 7, input, MatrixType.Float32, false, true, ProductActivation.None, batches: 3);
    }

    [Test]
    public void Eight_bit_matrices_are_scaled()
    {
        using var device = SimulatedDevice.Open();
        using var blas = new CudaBlas(device.Context);
        const int K = 16;
        // 0x38 is 1, 0xC0 −2, 0x01 2⁻⁹.
        var x = device.Upload([.. Enumerable.Repeat<byte>(0x38, K)]);
        var w = device.Upload([.. Enumerable.Repeat<byte>(0xC0, K), .. Enumerable.Repeat<byte>(0x01, K)]);
        var y = device.Allocate<float>(2);
        var shape = new ProductShape(1, 2, K, K, K, 2, MatrixType.Float8E4M3, MatrixType.Float32);
        blas.Multiply(device.Stream, shape, new(x.Address, w.Address, y.Address, XScale: device.Upload(0.5f).Address, WScale: device.Upload(4f).Address));
        device.Stream.Synchronize();
        Assert.That(SimulatedDevice.Download<float>(y, 2), Is.EqualTo(new[] { -2f * K * 2, K / 512f * 2 }));
    }

    [Test]
    public void What_no_algorithm_does_is_refused_by_name()
    {
        using var device = SimulatedDevice.Open();
        using var blas = new CudaBlas(device.Context);
        var shape = new ProductShape(2, 2, 2, 2, 2, 2, MatrixType.Float16, MatrixType.BFloat16);
        var refused = Assert.Throws<CublasException>(() => blas.Prepare(shape));
        Assert.That(refused.Status, Is.EqualTo(CublasStatus.NotSupported));
        Assert.That(refused.Message, Does.Contain("BFloat16").And.Contain("N = 2"));
    }

    private static void Check(
        SimulatedDevice device, CudaBlas blas, int n, int m, int k, MatrixType input, MatrixType output, bool bias, bool accumulate, ProductActivation activation, int batches)
    {
        var random = new Random((n * 100) + m);
        var (xStride, wStride, yStride) = (k + 3, k + 2, m + 4);
        var x = Matrix(random, batches * n, xStride, input, out var x64);
        var w = Matrix(random, batches * m, wStride, input, out var w64);
        var y = Matrix(random, batches * n, yStride, output, out var before);
        var b = Matrix(random, 1, m, output, out var b64);
        var (px, pw, py, pb) = (device.Upload(x), device.Upload(w), device.Upload(y), device.Upload(b));
        var shape = new ProductShape(
            n, m, k, xStride, wStride, yStride, input, output, bias, output, accumulate, activation, batches, (long)n * xStride, (long)m * wStride, (long)n * yStride);
        blas.Multiply(device.Stream, shape, new(px.Address, pw.Address, py.Address, bias ? pb.Address : 0));
        device.Stream.Synchronize();
        var actual = Decode(SimulatedDevice.Download<byte>(py, y.Length), output);
        var expected = (double[])before.Clone();
        for (var row = 0; row < batches * n; row++)
        {
            var batch = row / n;
            for (var column = 0; column < m; column++)
            {
                var sum = accumulate ? before[(row * yStride) + column] : 0;
                sum += bias ? b64[column] : 0;
                for (var i = 0; i < k; i++)
                    sum += x64[(row * xStride) + i] * w64[(((batch * m) + column) * wStride) + i];
                expected[(row * yStride) + column] = activation switch
                {
                    ProductActivation.Relu => Math.Max(sum, 0),
                    ProductActivation.GeluTanh => 0.5 * sum * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (sum + (0.044715 * sum * sum * sum)))),
                    _ => sum,
                };
            }
        }

        // What lies between the rows must not change, and is part of the comparison.
        var rounding = output switch { MatrixType.Float32 => 1e-6, MatrixType.Float16 => Math.ScaleB(1, -11), _ => Math.ScaleB(1, -8) };
        Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(rounding + 1e-6), $"{shape}");
    }

    /// <summary>Random numbers as bytes of a type, and what they stand for.</summary>
    private static byte[] Matrix(Random random, int rows, int stride, MatrixType type, out double[] values)
    {
        var bytes = Enumerable.Range(0, rows * stride).Select(_ => (float)((random.NextDouble() * 2) - 1)).SelectMany(value => type switch
        {
            MatrixType.Float32 => BitConverter.GetBytes(value),
            MatrixType.Float16 => BitConverter.GetBytes((Half)value),
            _ => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)),
        }).ToArray();
        values = Decode(bytes, type);
        return bytes;
    }

    private static double[] Decode(byte[] bytes, MatrixType type) => type switch
    {
        MatrixType.Float32 => [.. Enumerable.Range(0, bytes.Length / 4).Select(i => (double)BitConverter.ToSingle(bytes, 4 * i))],
        MatrixType.Float16 => [.. Enumerable.Range(0, bytes.Length / 2).Select(i => NumberFormats.FromFloat16(BitConverter.ToUInt16(bytes, 2 * i)))],
        _ => [.. Enumerable.Range(0, bytes.Length / 2).Select(i => NumberFormats.FromBFloat16(BitConverter.ToUInt16(bytes, 2 * i)))],
    };
}
