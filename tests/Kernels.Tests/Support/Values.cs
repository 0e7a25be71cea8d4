using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests.Support;

/// <summary>Inputs of kernel tests: normal values with a few large ones, in the bits of an element type.</summary>
internal static class Values
{
    private const int OutlierEvery = 97;
    private const float OutlierScale = 30;

    /// <summary>Normal values; every 97th is thirty times as large.</summary>
    public static float[] Random(Random random, int count, float scale = 1) =>
        [.. Enumerable.Range(0, count).Select(i => (float)Normal(random) * scale * (i % OutlierEvery == 13 ? OutlierScale : 1))];

    /// <summary>To the nearest value of <paramref name="type"/>, as bits.</summary>
    public static ushort[] Encode(float[] values, DataType type) => Array.ConvertAll(values, value => Encode(value, type));

    /// <summary>What the bits mean, exactly.</summary>
    public static double[] Decode(ushort[] bits, DataType type) =>
        Array.ConvertAll(bits, b => type == DataType.BFloat16 ? NumberFormats.FromBFloat16(b) : NumberFormats.FromFloat16(b));

    /// <summary>Values after rounding to <paramref name="type"/>.</summary>
    public static double[] Round(float[] values, DataType type) =>
        type == DataType.Float32 ? Array.ConvertAll(values, v => (double)v) : Decode(Encode(values, type), type);

    /// <summary>Half a unit in the last place, relative: the error of one rounding.</summary>
    public static double Rounding(DataType type) => type switch
    {
        DataType.BFloat16 => Math.ScaleB(1, -8),
        DataType.Float16 => Math.ScaleB(1, -11),
        _ => Math.ScaleB(1, -24),
    };

    /// <summary>Rows of <paramref name="width"/> elements, <paramref name="stride"/> apart, with <paramref name="padding"/> between.</summary>
    public static T[] Strided<T>(T[] values, int width, int stride, T padding)
    {
        var rows = values.Length / width;
        var result = new T[rows * stride];
        Array.Fill(result, padding);
        for (var row = 0; row < rows; row++)
            values.AsSpan(row * width, width).CopyTo(result.AsSpan(row * stride));
        return result;
    }

    /// <summary>The first <paramref name="width"/> elements of every row.</summary>
    public static T[] Unstrided<T>(T[] values, int width, int stride) =>
        [.. Enumerable.Range(0, values.Length / stride).SelectMany(row => values.Skip(row * stride).Take(width))];

    /// <summary>Everything between the rows.</summary>
    public static T[] Between<T>(T[] values, int width, int stride) =>
        [.. Enumerable.Range(0, values.Length / stride).SelectMany(row => values.Skip((row * stride) + width).Take(stride - width))];

    private static ushort Encode(float value, DataType type)
    {
        if (type == DataType.Float16)
            return BitConverter.HalfToUInt16Bits((Half)value);
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
