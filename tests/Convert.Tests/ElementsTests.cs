using System.Runtime.InteropServices;
using FsCheck.Fluent;
using Weft.Convert.Checkpoints;
using Weft.Convert.Tests.Support;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Convert.Tests;

/// <summary>Conversions between element types against plain arithmetic, one number at a time.</summary>
[TestFixture]
public sealed class ElementsTests
{
    private static readonly ushort[] AllBits = [.. Enumerable.Range(0, 65536).Select(bits => (ushort)bits)];

    [TestCase(StoredType.BFloat16)]
    [TestCase(StoredType.Float16)]
    public void Every_16_bit_number_widens_exactly(StoredType type)
    {
        var finite = AllBits.Where(bits => double.IsFinite(Decode(type, bits))).ToArray();
        var values = new float[finite.Length];
        Elements.ToSingle(type, MemoryMarshal.AsBytes(finite.AsSpan()), values);
        for (var i = 0; i < finite.Length; i++)
            Assert.That(BitConverter.SingleToUInt32Bits(values[i]), Is.EqualTo(BitConverter.SingleToUInt32Bits((float)Decode(type, finite[i]))));
    }

    [Test]
    public void Every_8_bit_number_widens_exactly_and_what_is_none_is_found()
    {
        for (var bits = 0; bits < 256; bits++)
        {
            var expected = NumberFormats.FromFloat8((byte)bits);
            Assert.That(Elements.IndexOfNonFinite(StoredType.Float8, [0, (byte)bits]), Is.EqualTo(double.IsNaN(expected) ? 1 : -1));
            if (double.IsNaN(expected))
                continue;
            var value = new float[1];
            Elements.ToSingle(StoredType.Float8, [(byte)bits], value);
            Assert.That(BitConverter.SingleToUInt32Bits(value[0]), Is.EqualTo(BitConverter.SingleToUInt32Bits((float)expected)), $"{bits:x2}");
        }
    }

    [TestCase(StoredType.BFloat16, DataType.BFloat16)]
    [TestCase(StoredType.Float16, DataType.Float16)]
    public void Middles_round_to_even_and_their_neighbours_to_the_nearer(StoredType type, DataType target)
    {
        for (var bits = 0; bits < 0x7FFF && double.IsFinite(Decode(type, (ushort)(bits + 1))); bits++)
        {
            var middle = (float)((Decode(type, (ushort)bits) + Decode(type, (ushort)(bits + 1))) / 2);
            var even = bits % 2 == 0 ? bits : bits + 1;
            Assert.That(Narrow(target, middle, -middle), Is.EqualTo(new[] { even, even | 0x8000 }), $"{middle}");
            Assert.That(Narrow(target, MathF.BitDecrement(middle), MathF.BitIncrement(middle)), Is.EqualTo(new[] { bits, bits + 1 }), $"{middle}");
        }
    }

    [Test]
    public void Any_float32_rounds_to_f16_as_the_processor_rounds_it() => FsCheck.Check.One(
        FsCheck.Config.QuickThrowOnFailure.WithMaxTest(20_000),
        Prop.ForAll<int>(seed =>
        {
            // All bit patterns alike: most of them are far outside the range of f16.
            var value = BitConverter.Int32BitsToSingle((int)(seed * 2654435761u));
            return !float.IsFinite(value) || Narrow(DataType.Float16, value)[0] == BitConverter.HalfToUInt16Bits((Half)value);
        }));

    [TestCase(65519f, 0x7BFF)]
    [TestCase(65520f, 0x7C00)]
    [TestCase(-65520f, 0xFC00)]
    [TestCase(float.MaxValue, 0x7C00)]
    public void Too_large_for_f16_becomes_infinity(float value, int bits) => Assert.That(Narrow(DataType.Float16, value), Is.EqualTo(new[] { bits }));

    [Test]
    public void A_number_that_is_none_is_found_wherever_it_stands([Values] bool negative, [Values(0x7F80, 0x7FC0, 0x7F81)] int bits)
    {
        for (var length = 1; length < 80; length++)
        {
            var data = Enumerable.Repeat((ushort)0x7F7F, length).ToArray();
            Assert.That(Elements.IndexOfNonFinite(StoredType.BFloat16, MemoryMarshal.AsBytes(data.AsSpan())), Is.EqualTo(-1));
            data[length / 2] = (ushort)(bits | (negative ? 0x8000 : 0));
            Assert.That(Elements.IndexOfNonFinite(StoredType.BFloat16, MemoryMarshal.AsBytes(data.AsSpan())), Is.EqualTo(length / 2));
        }
    }

    [TestCase(DataType.Float32)]
    [TestCase(DataType.Float16)]
    [TestCase(DataType.BFloat16)]
    public void A_conversion_applies_the_type_to_matrices_only(DataType type)
    {
        using var scratch = new ScratchFolder();
        var checkpoint = new TinyCheckpoint();
        checkpoint.Write(scratch["model"]);
        using var file = Conversion.Convert(scratch["model"], type);
        var source = SafetensorsReader.Read(Path.Combine(scratch["model"], "model.safetensors"))["model.layers.0.mlp.down_proj.weight"];
        var entry = file.Find("layers.0.feed_forward.down.weight");
        var packed = file.Bytes(entry, 0, (int)entry.Length).ToArray();
        var expected = source.SelectMany(value => type switch
        {
            DataType.Float32 => BitConverter.GetBytes((float)value),
            DataType.Float16 => BitConverter.GetBytes((Half)value),
            _ => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16)),
        });
        Assert.That(packed, Is.EqualTo(expected));
        Assert.That(file.Header.Tensors.Select(tensor => tensor.DataType), Is.EqualTo(file.Header.Tensors.Select(tensor => tensor.Shape.Count == 1 ? DataType.Float32 : type)));
    }

    [TestCase("F32", DataType.Float32)]
    [TestCase("F64", DataType.Float32)]
    public void Wider_sources_are_read(string stored, DataType kept)
    {
        using var scratch = new ScratchFolder();
        var checkpoint = new TinyCheckpoint();
        checkpoint.Replace("lm_head.weight", tensor => tensor with
        {
            Type = stored,
            Bytes = [.. Enumerable.Range(0, TinyCheckpoint.Vocabulary * TinyCheckpoint.Hidden).SelectMany(i => stored == "F32" ? BitConverter.GetBytes(i * 0.1f) : BitConverter.GetBytes(i * 0.1))],
        });
        checkpoint.Write(scratch["model"]);
        using var file = Conversion.Convert(scratch["model"]);
        var head = file.Find("head.weight");
        var values = MemoryMarshal.Cast<byte, float>(file.Bytes(head, 0, (int)head.Length)).ToArray();
        Assert.That(head.DataType, Is.EqualTo(kept));
        Assert.That(values, Is.EqualTo(Enumerable.Range(0, values.Length).Select(i => stored == "F32" ? i * 0.1f : (float)(i * 0.1))));
    }

    private static double Decode(StoredType type, ushort bits) =>
        type == StoredType.Float16 ? (double)BitConverter.UInt16BitsToHalf(bits) : BitConverter.UInt32BitsToSingle((uint)bits << 16);

    private static int[] Narrow(DataType type, params float[] values)
    {
        var bits = new ushort[values.Length];
        Elements.FromSingle(type, values, MemoryMarshal.AsBytes(bits.AsSpan()));
        return [.. bits.Select(value => (int)value)];
    }
}
