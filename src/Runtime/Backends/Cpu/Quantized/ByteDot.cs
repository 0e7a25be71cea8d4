using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Weft.Backends.Cpu.Quantized;

/// <summary>Sums of four products of bytes: lane i gets Σ u[4i + j] · s[4i + j], exact while u is below 16.</summary>
internal interface IByteDot
{
    /// <param name="codes">From 0 to 15.</param>
    /// <param name="values">From −127 to 127.</param>
    static abstract Vector512<int> Dot(Vector512<byte> codes, Vector512<sbyte> values);
}

/// <summary>AVX-VNNI, in halves.</summary>
internal readonly struct ByteDotVnni : IByteDot
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Dot(Vector512<byte> codes, Vector512<sbyte> values) => Vector512.Create(
        AvxVnni.MultiplyWideningAndAdd(Vector256<int>.Zero, codes.GetLower(), values.GetLower()),
        AvxVnni.MultiplyWideningAndAdd(Vector256<int>.Zero, codes.GetUpper(), values.GetUpper()));
}

/// <summary>AVX2, in halves.</summary>
internal readonly struct ByteDot256 : IByteDot
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Dot(Vector512<byte> codes, Vector512<sbyte> values) =>
        Vector512.Create(Half(codes.GetLower(), values.GetLower()), Half(codes.GetUpper(), values.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Half(Vector256<byte> codes, Vector256<sbyte> values) =>
        Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(codes, values), Vector256<short>.One);
}

/// <summary>SSSE3, in quarters.</summary>
internal readonly struct ByteDot128 : IByteDot
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Dot(Vector512<byte> codes, Vector512<sbyte> values) =>
        Vector512.Create(Half(codes.GetLower(), values.GetLower()), Half(codes.GetUpper(), values.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Half(Vector256<byte> codes, Vector256<sbyte> values) =>
        Vector256.Create(Quarter(codes.GetLower(), values.GetLower()), Quarter(codes.GetUpper(), values.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Quarter(Vector128<byte> codes, Vector128<sbyte> values) =>
        Sse2.MultiplyAddAdjacent(Ssse3.MultiplyAddAdjacent(codes, values), Vector128<short>.One);
}

/// <summary>Any processor.</summary>
internal readonly struct ByteDotPlain : IByteDot
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Dot(Vector512<byte> codes, Vector512<sbyte> values)
    {
        var (low, high) = Vector512.Widen(codes);
        var (lowValues, highValues) = Vector512.Widen(values);
        return Vector512.Create(Fours(low.AsInt16() * lowValues), Fours(high.AsInt16() * highValues));
    }

    // 32 products of 16 bits to 8 sums of four.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Fours(Vector512<short> products)
    {
        var twos = Twos(products.AsInt32());
        return Vector512.Narrow(Vector512.ShiftRightArithmetic(twos.AsInt64() << 32, 32) + Vector512.ShiftRightArithmetic(twos.AsInt64(), 32), Vector512<long>.Zero).GetLower();
    }

    // Neighbouring 16-bit numbers added, as 32 bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Twos(Vector512<int> pairs) =>
        Vector512.ShiftRightArithmetic(pairs << 16, 16) + Vector512.ShiftRightArithmetic(pairs, 16);
}
