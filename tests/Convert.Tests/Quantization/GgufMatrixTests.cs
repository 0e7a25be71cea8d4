using System.Buffers.Binary;
using Weft.Convert.Checkpoints;
using Weft.Convert.Quantization;
using Weft.Convert.Tests.Support;
using Weft.Models;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert.Tests.Quantization;

/// <summary>GGUF's groups of 32 codes in tiles stand for the numbers that their blocks stand for.</summary>
[TestFixture]
public sealed class GgufMatrixTests
{
    private const int Rows = 20;
    private const int Columns = 512;

    /// <summary>Scales that are stored are exact; with a least number, a zero point in f16 stands for it, and a K type's scale is a product that becomes an f16, which rounds by 2^−11 at most.</summary>
    [TestCase("Q4_0", DataType.Int4, 0)]
    [TestCase("Q5_0", DataType.Int8, 0)]
    [TestCase("Q8_0", DataType.Int8, 0)]
    [TestCase("IQ4_NL", DataType.Int8, 0)]
    [TestCase("Q4_1", DataType.Int4, 1.0 / 2048)]
    [TestCase("Q5_1", DataType.Int8, 1.0 / 2048)]
    [TestCase("Q4_K", DataType.Int4, 1.0 / 2048)]
    [TestCase("Q5_K", DataType.Int8, 1.0 / 2048)]
    public void Codes_stay_codes(string name, DataType expectedType, double tolerance)
    {
        using var scratch = new ScratchFolder();
        var type = Type(name);
        var (planned, numbers) = Plan(scratch, type, Blocks(type));
        Assert.That(planned!.DataType, Is.EqualTo(expectedType));
        var (quantization, source) = planned.Quantized!.Value;
        Assert.That((quantization.GroupSize, quantization.ZeroPoints, quantization.Fractional), Is.EqualTo((32, tolerance > 0, tolerance > 0)));
        var layout = new QuantizedLayout(Rows, Columns, planned.DataType, quantization);
        var actual = Numbers(source.Pack(layout), layout);
        var error = Math.Sqrt(actual.Zip(numbers, (a, b) => (a - b) * (a - b)).Sum() / numbers.Sum(number => (double)number * number));
        Assert.That(error, Is.LessThanOrEqualTo(tolerance));
    }

    /// <summary>A scale of zero, or one that is nothing beside the least number.</summary>
    [TestCase(0f, 0.75f)]
    [TestCase(0f, -0.75f)]
    [TestCase(6e-8f, 0.5f)]
    [TestCase(0f, 0f)]
    public void A_group_of_one_number_is_that_number(float scale, float least)
    {
        using var scratch = new ScratchFolder();
        var type = Type("Q4_1");
        var (planned, numbers) = Plan(scratch, type, Blocks(type, scale, least));
        var layout = new QuantizedLayout(Rows, Columns, planned!.DataType, planned.Quantized!.Value.Meaning);
        var actual = Numbers(planned.Quantized.Value.Source.Pack(layout), layout);
        for (var i = 0; i < numbers.Length; i++)
            Assert.That(actual[i], Is.EqualTo(numbers[i]).Within(2e-6 * Math.Abs(least)));
    }

    [TestCase(float.PositiveInfinity, 0f, "a scale of Infinity")]
    [TestCase(1f, float.NaN, "a least number of NaN")]
    public void What_is_no_number_is_refused(float scale, float least, string expected)
    {
        using var scratch = new ScratchFolder();
        var type = Type("Q4_1");
        var (planned, _) = Plan(scratch, type, Blocks(type, scale, least));
        var layout = new QuantizedLayout(Rows, Columns, planned!.DataType, planned.Quantized!.Value.Meaning);
        Assert.That(Assert.Throws<WeftException>(() => planned.Quantized.Value.Source.Pack(layout)).Message, Does.Contain($"tensor 'w' holds {expected} in row 0"));
    }

    [TestCase("Q2_K")]
    [TestCase("Q3_K")]
    [TestCase("Q6_K")]
    [TestCase("IQ4_XS")]
    public void Other_groups_become_numbers(string name)
    {
        using var scratch = new ScratchFolder();
        Assert.That(Plan(scratch, Type(name), new byte[Rows * Columns / Type(name).Elements * Type(name).Bytes]).Planned, Is.Null);
    }

    private static GgufBlockType Type(string name) => GgufBlockType.All.Values.Single(type => type.Name == name);

    private static (PlannedTensor? Planned, float[] Numbers) Plan(ScratchFolder scratch, GgufBlockType type, byte[] blocks)
    {
        File.WriteAllBytes(scratch["blocks"], blocks);
        long[] shape = [Rows, Columns];
        var stored = new StoredTensor("w", StoredType.Float32, shape, StoredTensor.RowMajorStrides(shape), scratch["blocks"], 0) { Coded = new GgufBlocks(0, type) };
        var numbers = new float[Rows * Columns];
        using var file = SourceReader.Open(scratch["blocks"]);
        stored.Coded.Read(file, 0, numbers);
        return (GgufMatrix.TryPlan(new TensorRequirement("w", [Rows, Columns]), new TensorSource(stored)), numbers);
    }

    /// <summary>Random codes and scales of codes; units as llama.cpp leaves them for weights that are as often negative as positive.</summary>
    private static byte[] Blocks(GgufBlockType type, float? scale = null, float? least = null)
    {
        var random = new Random(5);
        var bytes = new byte[Rows * Columns / type.Elements * type.Bytes];
        random.NextBytes(bytes);
        var codes = type.HasSmallCodes ? 16 : 32;
        for (var at = 0; at < bytes.Length; at += type.Bytes)
        {
            var unit = scale ?? (0.5f + random.NextSingle()) / 1000;
            BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(at), (Half)unit);
            if (type.Group is null)
                continue;
            // Least numbers are subtracted in K types and added in the others.
            BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(at + 2), (Half)(least ?? unit * codes / (type.Elements == 32 ? -2 : 2)));
            if (type.Elements == 32)
                continue;
            // Scale and least number of a group are alike: both from 32 to 63 of their units.
            for (var i = 4; i < 12; i++)
                bytes[at + i] = (byte)(32 + (bytes[at + i] % 32) + (bytes[at + i] & 0xC0));
        }

        return bytes;
    }

    private static double[] Numbers(byte[] tensor, QuantizedLayout layout) =>
    [
        .. from row in Enumerable.Range(0, layout.Rows)
           from column in Enumerable.Range(0, layout.Columns)
           let place = layout.Place(row % 16, column % layout.TileColumns)
           let code = (tensor[layout.Tile(row / 16, column / layout.TileColumns) + place.Byte] >> place.Shift) & ((1 << layout.Bits) - 1)
           let index = layout.GroupIndex(row, column / layout.Quantization.GroupSize)
           let zero = layout.Quantization.Fractional ? (double)BinaryPrimitives.ReadHalfLittleEndian(tensor.AsSpan((int)(layout.ZeroPoints + (2 * index)))) : 0
           select (code - layout.MiddleCode - zero) * (double)BinaryPrimitives.ReadHalfLittleEndian(tensor.AsSpan((int)(layout.Scales + (2 * index)))),
    ];
}
