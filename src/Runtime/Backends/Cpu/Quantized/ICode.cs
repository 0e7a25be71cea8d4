using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Weft.Backends.Cpu.Quantized;

/// <summary>How the codes of two rows lie in 64 bytes of a tile.</summary>
internal interface ICode
{
    static abstract int Bits { get; }

    /// <summary>Sums of four products of the upper row of a pair; for int8 of both, in turn.</summary>
    static abstract Vector512<float> Lower<TDot>(Vector512<byte> bytes, Vector512<sbyte> values)
        where TDot : struct, IByteDot;

    /// <summary>Of the row 8 further.</summary>
    static abstract Vector512<float> Upper<TDot>(Vector512<byte> bytes, Vector512<sbyte> values)
        where TDot : struct, IByteDot;
}

/// <summary>The low halves of the bytes are one row, the high halves the other.</summary>
internal readonly struct Int4Code : ICode
{
    public static int Bits => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Lower<TDot>(Vector512<byte> bytes, Vector512<sbyte> values)
        where TDot : struct, IByteDot => Vector512.ConvertToSingle(TDot.Dot(Low(bytes), values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Upper<TDot>(Vector512<byte> bytes, Vector512<sbyte> values)
        where TDot : struct, IByteDot => Vector512.ConvertToSingle(TDot.Dot(High(bytes), values));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> Low(Vector512<byte> bytes) => bytes & Vector512.Create((byte)15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<byte> High(Vector512<byte> bytes) => Low((bytes.AsUInt16() >> 4).AsByte());
}

/// <summary>Four bytes of one row and four of the other take turns. A byte is taken as two halves, whose products cannot overflow.</summary>
internal readonly struct Int8Code : ICode
{
    private const int HighFactor = 16;

    public static int Bits => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Lower<TDot>(Vector512<byte> bytes, Vector512<sbyte> values)
        where TDot : struct, IByteDot =>
        Vector512.ConvertToSingle(TDot.Dot(Int4Code.Low(bytes), values) + (TDot.Dot(Int4Code.High(bytes), values) * HighFactor));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Upper<TDot>(Vector512<byte> bytes, Vector512<sbyte> values)
        where TDot : struct, IByteDot => Vector512<float>.Zero;
}
