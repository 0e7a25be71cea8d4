using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Weft.Convert.Checkpoints;

/// <summary>
/// Blocks of GGUF's quantized types, as ggml lays them out (ggml-common.h, ggml-quants.c of llama.cpp): 32 numbers with one scale, or 256 with scales of 16 or 32
/// of them, which are codes themselves.
/// </summary>
/// <param name="offset">Byte of the file where the first block begins.</param>
/// <param name="type">Which.</param>
internal sealed class GgufBlocks(long offset, GgufBlockType type) : CodedNumbers(offset, type.Elements, type.Bytes)
{
    /// <summary>Which.</summary>
    public GgufBlockType BlockType => type;

    /// <inheritdoc/>
    protected override void Decode(long block, ReadOnlySpan<byte> codes, Span<float> values)
    {
        for (var i = 0; i < codes.Length / type.Bytes; i++)
            type.Decode(codes.Slice(i * type.Bytes, type.Bytes), values.Slice(i * type.Elements, type.Elements));
    }
}

/// <summary>A quantized type of GGUF.</summary>
/// <param name="Name">llama.cpp's name.</param>
/// <param name="Elements">Numbers of a block.</param>
/// <param name="Bytes">Bytes of a block.</param>
/// <param name="Decode">Makes the numbers of a block.</param>
internal sealed record GgufBlockType(string Name, int Elements, int Bytes, GgufBlockType.Decoder Decode)
{
    private const int Small = 32;
    private const int Large = 256;

    // IQ4_NL's numbers: closer together where weights are more frequent.
    private static readonly sbyte[] Uneven = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    // Twice the numbers of E2M1 (OCP Microscaling Formats v1.0, 2023).
    private static readonly sbyte[] Doubled = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

    /// <summary>Makes the numbers of one block.</summary>
    public delegate void Decoder(ReadOnlySpan<byte> block, Span<float> values);

    /// <summary>Makes the codes of one block.</summary>
    public delegate void CodeDecoder(ReadOnlySpan<byte> codes, Span<sbyte> values);

    /// <summary>Makes the codes of 32 neighbouring numbers of one block, which stand for scale · code + least.</summary>
    public delegate void GroupDecoder(ReadOnlySpan<byte> block, int group, Span<byte> codes, out float scale, out float least);

    /// <summary>The whole numbers of a block without its scale, which is its first two bytes in f16; null where numbers are made in another way.</summary>
    public CodeDecoder? Codes { get; private init; }

    /// <summary>The codes of a group, all from 0 on, where its numbers have a scale and a least number; null where they are made in another way.</summary>
    public GroupDecoder? Group { get; private init; }

    /// <summary>Whether codes have four bits: from −8 to 7 where there is no least number.</summary>
    public bool HasSmallCodes { get; private init; }

    /// <summary>Every type that is read, by ggml's number.</summary>
    public static IReadOnlyDictionary<uint, GgufBlockType> All { get; } = new Dictionary<uint, GgufBlockType>
    {
        [2] = Scaled("Q4_0", 18, Q4) with { HasSmallCodes = true },
        [3] = Least("Q4_1", Small, 20, Q4Least) with { HasSmallCodes = true },
        [6] = Scaled("Q5_0", 22, Q5),
        [7] = Least("Q5_1", Small, 24, Q5Least),
        [8] = Scaled("Q8_0", 34, (codes, values) => MemoryMarshal.Cast<byte, sbyte>(codes).CopyTo(values)),
        [10] = new("Q2_K", Large, 84, Q2K),
        [11] = new("Q3_K", Large, 110, Q3K),
        [12] = Least("Q4_K", Large, 144, Q4K) with { HasSmallCodes = true },
        [13] = Least("Q5_K", Large, 176, Q5K),
        [14] = new("Q6_K", Large, 210, Q6K),
        [20] = Scaled("IQ4_NL", 18, (codes, values) => Halves(codes, Uneven, values)),
        [23] = new("IQ4_XS", Large, 136, Iq4Xs),
        [39] = new("MXFP4", Small, 17, (block, values) => Scale(block[1..], MathF.ScaleB(1, block[0] - 128), (codes, halves) => Halves(codes, Doubled, halves), values)),
    };

    // What is no number is found afterwards, as in tensors that are not quantized.
    private static float Float16(ReadOnlySpan<byte> bytes) => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes);

    private static GgufBlockType Scaled(string name, int bytes, CodeDecoder codes) =>
        new(name, Small, bytes, (block, values) => Scale(block[2..], Float16(block), codes, values)) { Codes = codes };

    private static GgufBlockType Least(string name, int elements, int bytes, GroupDecoder group) => new(name, elements, bytes, (block, values) =>
    {
        Span<byte> codes = stackalloc byte[Small];
        for (var i = 0; i < values.Length; i += Small)
        {
            group(block, i / Small, codes, out var scale, out var least);
            for (var j = 0; j < Small; j++)
                values[i + j] = (scale * codes[j]) + least;
        }
    }) { Group = group };

    private static void Scale(ReadOnlySpan<byte> block, float scale, CodeDecoder codes, Span<float> values)
    {
        Span<sbyte> numbers = stackalloc sbyte[Small];
        codes(block, numbers);
        for (var i = 0; i < Small; i++)
            values[i] = scale * numbers[i];
    }

    private static void Q4(ReadOnlySpan<byte> codes, Span<sbyte> values)
    {
        for (var i = 0; i < Small / 2; i++)
        {
            values[i] = (sbyte)((codes[i] & 15) - 8);
            values[i + (Small / 2)] = (sbyte)((codes[i] >> 4) - 8);
        }
    }

    private static void Q4Least(ReadOnlySpan<byte> block, int group, Span<byte> codes, out float scale, out float least)
    {
        (scale, least) = (Float16(block), Float16(block[2..]));
        for (var i = 0; i < Small; i++)
            codes[i] = (byte)((block[4 + (i % 16)] >> (i / 16 * 4)) & 15);
    }

    /// <summary>Four bytes of fifth bits, one for each code, then the codes' lower halves.</summary>
    private static void Q5(ReadOnlySpan<byte> codes, Span<sbyte> values)
    {
        var fifth = BinaryPrimitives.ReadUInt32LittleEndian(codes);
        for (var i = 0; i < Small; i++)
            values[i] = (sbyte)((((codes[4 + (i % 16)] >> (i / 16 * 4)) & 15) | (int)(((fifth >> i) & 1) << 4)) - 16);
    }

    private static void Q5Least(ReadOnlySpan<byte> block, int group, Span<byte> codes, out float scale, out float least)
    {
        (scale, least) = (Float16(block), Float16(block[2..]));
        Span<sbyte> numbers = stackalloc sbyte[Small];
        Q5(block[4..], numbers);
        for (var i = 0; i < Small; i++)
            codes[i] = (byte)(numbers[i] + 16);
    }

    /// <summary>16 bytes of two indices into a table, the lower halves for the first 16 numbers.</summary>
    private static void Halves(ReadOnlySpan<byte> codes, sbyte[] table, Span<sbyte> values)
    {
        for (var i = 0; i < Small / 2; i++)
        {
            values[i] = table[codes[i] & 15];
            values[i + (Small / 2)] = table[codes[i] >> 4];
        }
    }

    /// <summary>16 bytes of a scale and a least number of four bits each, 64 of codes, and the units of both. Four numbers that are 32 apart share a byte.</summary>
    private static void Q2K(ReadOnlySpan<byte> block, Span<float> values)
    {
        var (unit, leastUnit) = (Float16(block[80..]), Float16(block[82..]));
        for (var i = 0; i < Large; i++)
        {
            var (half, part, place) = (i / 128, i / 32 % 4, i % 32);
            var scales = block[i / 16];
            values[i] = (unit * (scales & 15) * ((block[16 + (half * 32) + place] >> (2 * part)) & 3)) - (leastUnit * (scales >> 4));
        }
    }

    /// <summary>32 bytes of third bits, 64 of codes, 12 of scales with six bits, and their unit. A third bit that is not set takes four away.</summary>
    private static void Q3K(ReadOnlySpan<byte> block, Span<float> values)
    {
        var unit = Float16(block[108..]);
        var scales = block.Slice(96, 12);
        for (var i = 0; i < Large; i++)
        {
            var (half, part, place, group) = (i / 128, i / 32 % 4, i % 32, i / 16);
            var low = (scales[group % 8] >> (group / 8 * 4)) & 15;
            var scale = low | (((scales[8 + (group % 4)] >> (group / 4 * 2)) & 3) << 4);
            var code = ((block[32 + (half * 32) + place] >> (2 * part)) & 3) - (((block[place] >> ((half * 4) + part)) & 1) == 0 ? 4 : 0);
            values[i] = unit * (scale - 32) * code;
        }
    }

    private static void Q4K(ReadOnlySpan<byte> block, int group, Span<byte> codes, out float scale, out float least) =>
        Q45K(block, [], block[16..], group, codes, out scale, out least);

    private static void Q5K(ReadOnlySpan<byte> block, int group, Span<byte> codes, out float scale, out float least) =>
        Q45K(block, block.Slice(16, 32), block[48..], group, codes, out scale, out least);

    /// <summary>
    /// Units of scales and of least numbers, 12 bytes of eight of each with six bits, then codes: each 32 bytes hold 64, the lower halves first. With five bits the
    /// fifth ones are in 32 bytes before.
    /// </summary>
    private static void Q45K(ReadOnlySpan<byte> block, ReadOnlySpan<byte> fifth, ReadOnlySpan<byte> stored, int group, Span<byte> codes, out float scale, out float least)
    {
        var packed = block.Slice(4, 12);
        var (units, leastUnits) = group < 4
            ? (packed[group] & 63, packed[group + 4] & 63)
            : ((packed[group + 4] & 15) | (packed[group - 4] >> 6 << 4), (packed[group + 4] >> 4) | (packed[group] >> 6 << 4));
        (scale, least) = (Float16(block) * units, -(Float16(block[2..]) * leastUnits));
        for (var i = 0; i < Small; i++)
        {
            codes[i] = (byte)((stored[(group / 2 * 32) + i] >> (group % 2 * 4)) & 15);
            if (fifth.Length > 0)
                codes[i] |= (byte)(((fifth[i] >> group) & 1) << 4);
        }
    }

    /// <summary>128 bytes of the codes' lower four bits, 64 of the upper two, 16 scales and their unit.</summary>
    private static void Q6K(ReadOnlySpan<byte> block, Span<float> values)
    {
        var unit = Float16(block[208..]);
        var scales = MemoryMarshal.Cast<byte, sbyte>(block.Slice(192, 16));
        for (var i = 0; i < Large; i++)
        {
            var (half, part, place) = (i / 128, i / 32 % 4, i % 32);
            var low = (block[(half * 64) + (part % 2 * 32) + place] >> (part / 2 * 4)) & 15;
            var high = (block[128 + (half * 32) + place] >> (2 * part)) & 3;
            values[i] = unit * scales[i / 16] * ((low | (high << 4)) - 32);
        }
    }

    /// <summary>The unit of eight scales, two bytes of their upper two bits, four of their lower four, then IQ4_NL's codes.</summary>
    private static void Iq4Xs(ReadOnlySpan<byte> block, Span<float> values)
    {
        var (unit, upper) = (Float16(block), BinaryPrimitives.ReadUInt16LittleEndian(block[2..]));
        for (var group = 0; group < Large / Small; group++)
        {
            var scale = ((block[4 + (group / 2)] >> (group % 2 * 4)) & 15) | (((upper >> (2 * group)) & 3) << 4);
            Scale(block[(8 + (group * 16))..], unit * (scale - 32), (codes, halves) => Halves(codes, Uneven, halves), values.Slice(group * Small, Small));
        }
    }
}
