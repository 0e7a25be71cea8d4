using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Weft.Weights;

/// <summary>
/// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected, initial value and final xor 0xFFFFFFFF), the packed file's checksum.
/// The processor's instruction takes 8 bytes a cycle but answers after three, so three independent streams run interleaved and
/// are joined by a carry-less shift: crc(A‖B) = shift(crc(A), |B|) ⊕ crc(B).
/// </summary>
internal static class Crc32C
{
    // Long enough that the joins vanish, short enough that three lanes stay in a first-level cache.
    private const int LaneLength = 8192;
    private const uint Polynomial = 0x82F63B78;

    private static readonly uint[] s_shiftOne = ShiftTable(LaneLength);
    private static readonly uint[] s_shiftTwo = ShiftTable(2 * LaneLength);

    /// <summary>Checksum of <paramref name="data"/>.</summary>
    public static uint Compute(ReadOnlySpan<byte> data) => Append(0, data);

    /// <summary>Checksum of what <paramref name="checksum"/> covers followed by <paramref name="data"/>; start with 0.</summary>
    public static uint Append(uint checksum, ReadOnlySpan<byte> data)
    {
        var state = ~checksum;
        while (data.Length >= 3 * LaneLength)
        {
            state = ThreeLanes(state, data[..(3 * LaneLength)]);
            data = data[(3 * LaneLength)..];
        }

        while (data.Length >= sizeof(ulong))
        {
            state = BitOperations.Crc32C(state, BinaryPrimitives.ReadUInt64LittleEndian(data));
            data = data[sizeof(ulong)..];
        }

        foreach (var value in data)
            state = BitOperations.Crc32C(state, value);
        return ~state;
    }

    /// <summary>Checksum of A‖B from those of A and of B, where B has <paramref name="secondLength"/> bytes.</summary>
    public static uint Combine(uint first, uint second, long secondLength) => Multiply(PowerOfX(secondLength), first) ^ second;

    private static uint ThreeLanes(uint state, ReadOnlySpan<byte> data)
    {
        ref var lane = ref Unsafe.As<byte, ulong>(ref MemoryMarshal.GetReference(data));
        const int Words = LaneLength / sizeof(ulong);
        uint a = state, b = 0, c = 0;
        for (nint i = 0; i < Words; i++)
        {
            a = BitOperations.Crc32C(a, Unsafe.Add(ref lane, i));
            b = BitOperations.Crc32C(b, Unsafe.Add(ref lane, i + Words));
            c = BitOperations.Crc32C(c, Unsafe.Add(ref lane, i + (2 * Words)));
        }

        return Shift(s_shiftTwo, a) ^ Shift(s_shiftOne, b) ^ c;
    }

    private static uint Shift(uint[] table, uint value) =>
        table[value & 0xFF] ^ table[256 + ((value >> 8) & 0xFF)] ^ table[512 + ((value >> 16) & 0xFF)] ^ table[768 + (value >> 24)];

    private static uint[] ShiftTable(long bytes)
    {
        var power = PowerOfX(bytes);
        var table = new uint[4 * 256];
        for (var i = 0; i < 4; i++)
        {
            for (var value = 0u; value < 256; value++)
                table[(i * 256) + (int)value] = Multiply(power, value << (8 * i));
        }

        return table;
    }

    // x^(8·bytes) modulo the polynomial, by squaring. Bit 31 is the coefficient of x^0 (reflected order).
    private static uint PowerOfX(long bytes)
    {
        var result = 1u << 31;
        var square = 1u << 23; // x^8
        for (; bytes > 0; bytes >>= 1)
        {
            if ((bytes & 1) != 0)
                result = Multiply(square, result);
            square = Multiply(square, square);
        }

        return result;
    }

    // Product of two polynomials over GF(2) modulo the polynomial, both reflected.
    private static uint Multiply(uint a, uint b)
    {
        var product = 0u;
        for (var bit = 31; bit >= 0; bit--)
        {
            product ^= (a >> bit & 1) != 0 ? b : 0;
            b = (b >> 1) ^ ((b & 1) != 0 ? Polynomial : 0);
        }

        return product;
    }
}
