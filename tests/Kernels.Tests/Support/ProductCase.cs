using Weft.Backends.Cuda.Kernels;
using Weft.Tensors;

namespace Weft.Kernels.Tests.Support;

/// <summary>Inputs of a product: x [N, K] as activations and as a residual stream, W [weightRows, K], NaN between rows of x.</summary>
internal sealed class ProductCase : IDisposable
{
    private const float NormOffset = 1;
    private const float Epsilon = 1e-5f;
    private readonly DeviceArray<ushort> weight;
    private readonly DeviceArray<float> bias;
    private readonly DeviceArray<int> drawn;
    private readonly DeviceArray<ushort> low;

    public ProductCase(TestDevice device, DataType type, int rows, int k, int m, int weightRows)
    {
        (Device, Type, Rows, K, M) = (device, type, rows, k, m);
        var random = new Random((k * 31) + m);
        X = Values.Random(random, rows * k);
        W = Values.Random(random, weightRows * k, 0.5f / MathF.Sqrt(k)); // gates near 0, where they do not magnify their error
        B = Values.Random(random, weightRows, 0.1f);
        NormWeight = Values.Random(random, k, 0.3f);
        Stride = ((k + 7) / 8 * 8) + 8;
        Activations = device.Upload(Values.Strided(Values.Encode(X, type), k, Stride, ushort.MaxValue));
        Residual = device.Upload(Values.Strided(X, k, Stride, float.NaN));
        Norm = device.Upload(NormWeight);
        weight = device.Upload(Values.Strided(Values.Encode(W, type), k, Stride, (ushort)0));
        bias = device.Upload(B);
        drawn = device.Upload([.. Enumerable.Range(0, rows).Select(row => IsDrawn(row) ? 1 : 0)]);
        low = device.Poisoned<ushort>(rows * Stride);
    }

    public TestDevice Device { get; }

    public DataType Type { get; }

    public int Rows { get; }

    public int K { get; }

    public int M { get; }

    public int Stride { get; }

    public float[] X { get; }

    public float[] W { get; }

    public float[] B { get; }

    public float[] NormWeight { get; }

    public DeviceArray<ushort> Activations { get; }

    public DeviceArray<float> Residual { get; }

    public DeviceArray<float> Norm { get; }

    /// <summary>What is multiplied.</summary>
    public double[] Input(GemvInput input)
    {
        if (input == GemvInput.PlainInput)
            return Values.Round(X, Type);
        using var normed = Normed();
        var values = Values.Decode(Values.Unstrided(normed.Download(), K, Stride), Type);
        if (Parts(input) == 1)
            return values;
        var lost = Values.Decode(Values.Unstrided(low.Download(), K, Stride), Type);
        return [.. values.Select((value, i) => IsDrawn(i / K) ? value + lost[i] : value)];
    }

    /// <summary>Some rows belong to tokens that were drawn.</summary>
    public static bool IsDrawn(int row) => row % 3 != 1;

    /// <summary>Of the input.</summary>
    public int Parts(GemvInput input) => GemvKernel.Parts(Type, input);

    /// <summary>What rounding lost of x, where the norm's own kernel left that.</summary>
    public nuint Low => low.Address;

    /// <summary>x as the norm's own kernel leaves it.</summary>
    public DeviceArray<ushort> Normed()
    {
        var y = Device.Poisoned<ushort>(Rows * Stride);
        Device.Run(NormKernel.Instance(NormForm.Rms, DataType.Float32, Type), NormKernel.Shape(Rows, K), new NormParams
        {
            X = Residual.Address,
            Weight = Norm.Address,
            Y = y.Address,
            Low = Parts(GemvInput.RmsInput) == 2 ? low.Address : 0,
            Drawn = drawn.Address,
            Width = K,
            XStride = Stride,
            YStride = Stride,
            Epsilon = Epsilon,
            WeightOffset = NormOffset,
        });
        return y;
    }

    /// <summary>A product of the first <paramref name="rows"/> rows, without a place for the result.</summary>
    public GemvParams Parameters(GemvInput input, int rows) => new()
    {
        X = input == GemvInput.RmsInput ? Residual.Address : Activations.Address,
        Weight = weight.Address,
        Bias = bias.Address,
        NormWeight = Norm.Address,
        Drawn = drawn.Address,
        Rows = rows,
        Outputs = M,
        Inner = K,
        XStride = Stride,
        WStride = Stride,
        Epsilon = Epsilon,
        NormOffset = NormOffset,
    };

    /// <summary>The product of the first <paramref name="rows"/> rows, in float32.</summary>
    public float[] Floats(GemvInput input, int rows, int sets, int multiprocessors) => Floats(Parameters(input, rows), input, sets, multiprocessors);

    /// <summary>A product in float32.</summary>
    public float[] Floats(GemvParams parameters, GemvInput input, int sets, int multiprocessors)
    {
        using var y = Device.Poisoned<float>(parameters.Rows * M);
        Device.Run(
            GemvKernel.Instance(Type, sets, input, GemvOutput.StoreFloat),
            GemvKernel.Shape(parameters.Rows, M, K, sets, input, multiprocessors),
            parameters with { Y = y.Address, YStride = M });
        return y.Download();
    }

    public void Dispose()
    {
        Activations.Dispose();
        Residual.Dispose();
        Norm.Dispose();
        weight.Dispose();
        bias.Dispose();
        drawn.Dispose();
        low.Dispose();
    }
}
