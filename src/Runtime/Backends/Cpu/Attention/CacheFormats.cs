using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;

namespace Weft.Backends.Cpu.Attention;

/// <summary>How keys and values are stored.</summary>
internal unsafe interface ICacheFormat
{
    static abstract int ElementSize { get; }

    static abstract TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    static abstract void Store<TSimd, TVector>(byte* destination, TVector value)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}

internal readonly unsafe struct Float32Cache : ICacheFormat
{
    public static int ElementSize => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TSimd, TVector>(byte* destination, TVector value)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Store((float*)destination, value);
}

internal readonly unsafe struct Float16Cache : ICacheFormat
{
    public static int ElementSize => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadFloat16((ushort*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TSimd, TVector>(byte* destination, TVector value)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.StoreFloat16((ushort*)destination, value);
}

internal readonly unsafe struct BFloat16Cache : ICacheFormat
{
    public static int ElementSize => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TSimd, TVector>(byte* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.LoadBFloat16((ushort*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TSimd, TVector>(byte* destination, TVector value)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.StoreBFloat16((ushort*)destination, value);
}
