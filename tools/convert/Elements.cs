using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.Convert.Checkpoints;
using Weft.Tensors;

namespace Weft.Convert;

/// <summary>Element-type conversions, rounding to nearest even, and the search for numbers that are none; a vector at a time.</summary>
internal static class Elements
{
    /// <summary>Index of the first NaN or infinity in <paramref name="data"/>, or −1.</summary>
    public static int IndexOfNonFinite(StoredType type, ReadOnlySpan<byte> data) => type switch
    {
        StoredType.Float64 => IndexOfAllOnes(MemoryMarshal.Cast<byte, ulong>(data), 0x7FF0_0000_0000_0000ul),
        StoredType.Float32 => IndexOfAllOnes(MemoryMarshal.Cast<byte, uint>(data), 0x7F80_0000u),
        StoredType.Float16 => IndexOfAllOnes(MemoryMarshal.Cast<byte, ushort>(data), (ushort)0x7C00),
        StoredType.BFloat16 => IndexOfAllOnes(MemoryMarshal.Cast<byte, ushort>(data), (ushort)0x7F80),
        // All ones but the sign are its one NaN.
        StoredType.Float8 => IndexOfAllOnes(data, (byte)0x7F),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };

    /// <summary>Converts finite numbers to float32.</summary>
    public static void ToSingle(StoredType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case StoredType.Float32:
                MemoryMarshal.Cast<byte, float>(source).CopyTo(destination);
                break;
            case StoredType.Float64:
                var doubles = MemoryMarshal.Cast<byte, double>(source);
                for (var i = 0; i < doubles.Length; i++)
                    destination[i] = (float)doubles[i];
                break;
            case StoredType.BFloat16:
                Widen(MemoryMarshal.Cast<byte, ushort>(source), destination, BFloat16Bits);
                break;
            case StoredType.Float16:
                Widen(MemoryMarshal.Cast<byte, ushort>(source), destination, Float16Bits);
                break;
            case StoredType.Float8:
                for (var i = 0; i < source.Length; i++)
                    destination[i] = Float8Numbers[source[i]];
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, null);
        }
    }

    /// <summary>Converts finite float32 numbers to <paramref name="type"/>; what is too large for it becomes an infinity.</summary>
    public static void FromSingle(DataType type, ReadOnlySpan<float> source, Span<byte> destination)
    {
        switch (type)
        {
            case DataType.Float32:
                MemoryMarshal.AsBytes(source).CopyTo(destination);
                break;
            case DataType.BFloat16:
                Narrow(source, MemoryMarshal.Cast<byte, ushort>(destination), ToBFloat16);
                break;
            case DataType.Float16:
                Narrow(source, MemoryMarshal.Cast<byte, ushort>(destination), ToFloat16);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, null);
        }
    }

    // (−1)^s · (1 + m / 8) · 2^(e − 7), and (−1)^s · m / 8 · 2^−6 where e is 0.
    private static readonly float[] Float8Numbers = [.. Enumerable.Range(0, 256).Select(bits =>
    {
        var (exponent, mantissa) = ((bits >> 3) & 15, bits & 7);
        var magnitude = exponent == 0 ? MathF.ScaleB(mantissa, -9) : MathF.ScaleB(8 + mantissa, exponent - 10);
        return bits < 128 ? magnitude : -magnitude;
    })];

    // An exponent of all ones marks both NaN and infinity.
    private static int IndexOfAllOnes<T>(ReadOnlySpan<T> bits, T exponent) where T : unmanaged, IBinaryInteger<T>
    {
        var mask = new Vector<T>(exponent);
        var i = 0;
        for (; i <= bits.Length - Vector<T>.Count; i += Vector<T>.Count)
        {
            if (Vector.EqualsAny(new Vector<T>(bits[i..]) & mask, mask))
                break;
        }

        for (; i < bits.Length; i++)
        {
            if ((bits[i] & exponent) == exponent)
                return i;
        }

        return -1;
    }

    private delegate Vector<uint> Map(Vector<uint> bits);

    private static void Widen(ReadOnlySpan<ushort> source, Span<float> destination, Map map)
    {
        var width = Vector<ushort>.Count;
        var half = width / 2;
        var bits = MemoryMarshal.Cast<float, uint>(destination);
        var i = 0;
        for (; i <= source.Length - width; i += width)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out var low, out var high);
            map(low).CopyTo(bits[i..]);
            map(high).CopyTo(bits[(i + half)..]);
        }

        if (i == source.Length)
            return;
        Span<ushort> rest = stackalloc ushort[width];
        Span<float> result = stackalloc float[width];
        source[i..].CopyTo(rest);
        Widen(rest, result, map);
        result[..(source.Length - i)].CopyTo(destination[i..]);
    }

    private static void Narrow(ReadOnlySpan<float> source, Span<ushort> destination, Map map)
    {
        var width = Vector<ushort>.Count;
        var half = width / 2;
        var bits = MemoryMarshal.Cast<float, uint>(source);
        var i = 0;
        for (; i <= source.Length - width; i += width)
            Vector.Narrow(map(new Vector<uint>(bits[i..])), map(new Vector<uint>(bits[(i + half)..]))).CopyTo(destination[i..]);

        if (i == source.Length)
            return;
        Span<float> rest = stackalloc float[width];
        Span<ushort> result = stackalloc ushort[width];
        source[i..].CopyTo(rest);
        Narrow(rest, result, map);
        result[..(source.Length - i)].CopyTo(destination[i..]);
    }

    private static Vector<uint> BFloat16Bits(Vector<uint> bits) => bits << 16;

    // The exponent is moved into place with the mantissa; multiplying by 2^112 corrects its bias and normalises subnormals.
    private static Vector<uint> Float16Bits(Vector<uint> bits)
    {
        var magnitude = Vector.AsVectorSingle((bits & new Vector<uint>(0x7FFF)) << 13) * new Vector<float>(MathF.Pow(2, 112));
        return Vector.AsVectorUInt32(magnitude) | ((bits & new Vector<uint>(0x8000)) << 16);
    }

    // Half of the last kept place is added, less one when that place is even, so that ties go to even.
    private static Vector<uint> ToBFloat16(Vector<uint> bits) =>
        (bits + new Vector<uint>(0x7FFF) + ((bits >> 16) & Vector<uint>.One)) >> 16;

    private static Vector<uint> ToFloat16(Vector<uint> bits)
    {
        var magnitude = bits & new Vector<uint>(0x7FFF_FFFF);
        var normal = (magnitude - new Vector<uint>((127 - 15) << 23) + new Vector<uint>(0xFFF) + ((magnitude >> 13) & Vector<uint>.One)) >> 13;

        // Below 2^-14 the spacing is fixed at 2^-24: adding 0.5, whose last place is that, lets the processor round.
        var subnormal = Vector.AsVectorUInt32(Vector.AsVectorSingle(magnitude) + new Vector<float>(0.5f)) - new Vector<uint>(126u << 23);
        var result = Vector.ConditionalSelect(Vector.LessThan(magnitude, new Vector<uint>((127 - 14) << 23)), subnormal, normal);

        // From 65520 on, the middle between the largest number and the next, everything rounds to infinity.
        var overflow = Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(Unsafe.BitCast<float, uint>(65520f)));
        return Vector.ConditionalSelect(overflow, new Vector<uint>(0x7C00), result) | ((bits >> 16) & new Vector<uint>(0x8000));
    }
}
