using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;

namespace Weft.Backends.Cpu.MatMul;

/// <summary>
/// How a row of weights is read two registers at a time. One step covers 2·Width elements: <see cref="First"/> and
/// <see cref="Second"/> give half of them each, and <see cref="Pack"/> brings the same elements of the activations together.
/// </summary>
internal unsafe interface IWeightFormat
{
    static abstract int ElementSize { get; }

    /// <summary>A step takes more instructions to read than products leave room for: where there are many tokens, it is made into numbers once for all.</summary>
    static abstract bool IsDear { get; }

    static abstract TVector First<TSimd, TVector>(byte* step)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    static abstract TVector Second<TSimd, TVector>(byte* step)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    static abstract void Pack<TSimd, TVector>(float* source, float* destination)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}

internal readonly unsafe struct BFloat16Weights : IWeightFormat
{
    public static int ElementSize => 2;

    public static bool IsDear => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector First<TSimd, TVector>(byte* step)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.EvenBFloat16((ushort*)step);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Second<TSimd, TVector>(byte* step)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.OddBFloat16((ushort*)step);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack<TSimd, TVector>(float* source, float* destination)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Deinterleave(source, destination);
}

internal readonly unsafe struct Float16Weights : IWeightFormat
{
    public static int ElementSize => 2;

    public static bool IsDear => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector First<TSimd, TVector>(byte* step)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.EvenFloat16((ushort*)step);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Second<TSimd, TVector>(byte* step)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.OddFloat16((ushort*)step);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack<TSimd, TVector>(float* source, float* destination)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Deinterleave(source, destination);
}

internal readonly unsafe struct Float32Weights : IWeightFormat
{
    public static int ElementSize => 4;

    public static bool IsDear => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector First<TSimd, TVector>(byte* step)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Load((float*)step);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Second<TSimd, TVector>(byte* step)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Load((float*)step + TSimd.Width);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pack<TSimd, TVector>(float* source, float* destination)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TSimd.Store(destination, TSimd.Load(source));
        TSimd.Store(destination + TSimd.Width, TSimd.Load(source + TSimd.Width));
    }
}
