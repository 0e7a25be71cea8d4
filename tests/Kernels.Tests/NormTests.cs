using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests;

/// <summary>kernels/norm.cu against the plain definition.</summary>
[TestFixture]
public sealed class NormTests
{
    private const float Epsilon = 1e-5f;
    private const int Rows = 5;
    private static readonly int[] Widths = [1, 15, 16, 17, 111, 1003, 4096, 14336];

    [Test]
    public void Rows_are_normed(
        [Values] bool centred,
        [Values(DataType.Float32, DataType.Float16, DataType.BFloat16)] DataType output,
        [Values] bool affine,
        [Values(1, 2, 3)] int seed)
    {
        var device = TestDevice.Open((ulong)seed);
        foreach (var width in Widths)
        {
            using var run = new Run(device, centred ? NormForm.Layer : NormForm.Rms, width, affine);
            using var y = device.Poisoned<byte>(Rows * run.Stride * output.Size());
            run.Launch(DataType.Float32, output, null, y.Address);
            run.CheckRows(y.Download(), output);
        }
    }

    [Test]
    public void Sixteen_bit_input_is_normed([Values(DataType.Float16, DataType.BFloat16)] DataType type, [Values] bool centred)
    {
        var device = TestDevice.Open();
        foreach (var width in Widths)
        {
            using var run = new Run(device, centred ? NormForm.Layer : NormForm.Rms, width, true, type);
            using var y = device.Poisoned<byte>(Rows * run.Stride * type.Size());
            run.Launch(type, type, null, y.Address);
            run.CheckRows(y.Download(), type);
        }
    }

    [Test]
    public void What_is_added_first_is_written_back(
        [Values(DataType.Float16, DataType.BFloat16)] DataType type, [Values] bool centred, [Values(1, 2, 3)] int seed)
    {
        var device = TestDevice.Open((ulong)seed);
        foreach (var width in Widths)
        {
            using var run = new Run(device, centred ? NormForm.Layer : NormForm.Rms, width, true);
            run.AddDelta(type);
            using var y = device.Poisoned<byte>(Rows * run.Stride * type.Size());
            run.Launch(DataType.Float32, type, type, y.Address);
            run.CheckRows(y.Download(), type);
            run.CheckResidual();
        }
    }

    [Test]
    public void Quantized_rows_are_within_half_a_step([Values] bool centred)
    {
        var device = TestDevice.Open();
        foreach (var width in Widths)
        {
            using var run = new Run(device, centred ? NormForm.Layer : NormForm.Rms, width, true);
            using var y = device.Poisoned<byte>(Rows * run.Stride);
            using var scales = device.Poisoned<float>(Rows);
            run.Launch(DataType.Float32, null, null, y.Address, scales.Address);
            run.CheckQuantized(y.Download(), scales.Download());
        }
    }

    [Test]
    public void A_row_too_small_to_scale_is_quantized_to_zero()
    {
        var device = TestDevice.Open();
        using var x = device.Upload([.. Enumerable.Repeat(1f, 16)]);
        using var weight = device.Upload([.. Enumerable.Repeat(1e-38f, 16)]);
        using var y = device.Poisoned<sbyte>(16);
        using var scales = device.Poisoned<float>(1);
        device.Run(NormKernel.Instance(NormForm.Rms, DataType.Float32, null), NormKernel.Shape(1, 16), new NormParams
        {
            X = x.Address,
            Weight = weight.Address,
            Y = y.Address,
            Scales = scales.Address,
            Width = 16,
            XStride = 16,
            YStride = 16,
            Epsilon = Epsilon,
        });
        Assert.That(y.Download(), Has.All.Zero);
        Assert.That(scales.Download()[0], Is.EqualTo(1e-38f / 127).Within(1e-42f));
    }

    /// <summary>One input with its expected result.</summary>
    private sealed class Run : IDisposable
    {
        private readonly TestDevice device;
        private readonly NormForm form;
        private readonly int width;
        private readonly float[] input;
        private readonly double[] weight;
        private readonly double[] bias;
        private readonly DeviceArray<byte> x;
        private readonly DeviceArray<float>? pw;
        private readonly DeviceArray<float>? pb;
        private double[] x64;
        private DeviceArray<ushort>? delta;

        public Run(TestDevice device, NormForm form, int width, bool affine, DataType type = DataType.Float32)
        {
            (this.device, this.form, this.width) = (device, form, width);
            var random = new Random(width);
            Stride = ((width + 7) / 8 * 8) + 16;
            input = Values.Random(random, Rows * width);
            x64 = Values.Round(input, type);
            var (w, b) = (Values.Random(random, width), Values.Random(random, width));
            weight = affine ? Array.ConvertAll(w, v => v + 1.0) : [.. Enumerable.Repeat(1.0, width)];
            bias = affine ? Array.ConvertAll(b, v => (double)v) : new double[width];
            x = type == DataType.Float32
                ? device.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Values.Strided(input, width, Stride, float.NaN).AsSpan()))
                : device.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes(
                    Values.Strided(Values.Encode(input, type), width, Stride, ushort.MaxValue).AsSpan()));
            (pw, pb) = affine ? (device.Upload(w), device.Upload(b)) : (null, null);
        }

        public int Stride { get; }

        public void AddDelta(DataType type)
        {
            var added = Values.Random(new Random(1), input.Length);
            delta = device.Upload(Values.Strided(Values.Encode(added, type), width, Stride, ushort.MaxValue));
            x64 = [.. input.Zip(Values.Round(added, type), (a, b) => (double)(a + (float)b))];
        }

        public void Launch(DataType from, DataType? to, DataType? added, nuint y, nuint scales = 0) => device.Run(
            NormKernel.Instance(form, from, to, added),
            NormKernel.Shape(Rows, width),
            new NormParams
            {
                X = x.Address,
                Delta = delta?.Address ?? 0,
                Weight = pw?.Address ?? 0,
                Bias = pb?.Address ?? 0,
                Y = y,
                Scales = scales,
                Width = width,
                XStride = Stride,
                DeltaStride = Stride,
                YStride = Stride,
                Epsilon = Epsilon,
                // With an offset of one the stored weight is w − 1 (Gemma).
                WeightOffset = 1,
            });

        public void CheckRows(byte[] stored, DataType type)
        {
            var elements = Enumerable.Range(0, stored.Length / type.Size()).ToArray();
            var values = type == DataType.Float32
                ? Array.ConvertAll(elements, i => (double)BitConverter.ToSingle(stored, 4 * i))
                : Values.Decode(Array.ConvertAll(elements, i => BitConverter.ToUInt16(stored, 2 * i)), type);
            Assert.That(Values.Between(values, width, Stride), Has.All.NaN, $"width {width}");
            Assert.That(
                ErrorMeasure.RelativeRms(Values.Unstrided(values, width, Stride), Expected()),
                Is.LessThan((type == DataType.Float32 ? 0 : Values.Rounding(type)) + 1e-6),
                $"width {width}");
        }

        public void CheckResidual()
        {
            var stored = x.Download();
            var values = Enumerable.Range(0, stored.Length / 4).Select(i => (double)BitConverter.ToSingle(stored, 4 * i)).ToArray();
            Assert.That(Values.Unstrided(values, width, Stride), Is.EqualTo(x64), $"width {width}");
        }

        public void CheckQuantized(byte[] stored, float[] scales)
        {
            var expected = Expected();
            for (var row = 0; row < Rows; row++)
            {
                for (var i = 0; i < width; i++)
                {
                    var actual = (sbyte)stored[(row * Stride) + i] * (double)scales[row];
                    Assert.That(actual, Is.EqualTo(expected[(row * width) + i]).Within((scales[row] * 0.5001) + 1e-6), $"width {width}");
                }
            }

            Assert.That(Values.Between(stored, width, Stride), Has.All.EqualTo(byte.MaxValue), $"width {width}");
        }

        public void Dispose()
        {
            x.Dispose();
            pw?.Dispose();
            pb?.Dispose();
            delta?.Dispose();
        }

        private double[] Expected()
        {
            var result = form == NormForm.Rms ? ReferenceNorm.Rms(x64, weight, Epsilon) : ReferenceNorm.Layer(x64, weight, [], Epsilon);
            return [.. result.Select((value, i) => value + bias[i % width])];
        }
    }
}
