using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;

namespace Weft.Backends.Cpu.Attention;

/// <summary>
/// The inner loop of attention, for scores and for mixing values alike: C[rows, Width] += A[rows, n] · B[n, Width], with B in the
/// cache's format. Each load of B, and its conversion, serves all rows; eight accumulators cover the latency of the products.
/// A row's result does not depend on how many rows run with it.
/// </summary>
internal static unsafe class OuterProduct<TSimd, TVector, TCache>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TCache : struct, ICacheFormat
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows8(float* a, nint aStride, byte* b, nint bStride, int n, float* c, nint cStride)
    {
        var c0 = TSimd.Load(c);
        var c1 = TSimd.Load(c + cStride);
        var c2 = TSimd.Load(c + (2 * cStride));
        var c3 = TSimd.Load(c + (3 * cStride));
        var c4 = TSimd.Load(c + (4 * cStride));
        var c5 = TSimd.Load(c + (5 * cStride));
        var c6 = TSimd.Load(c + (6 * cStride));
        var c7 = TSimd.Load(c + (7 * cStride));
        var second = a + (4 * aStride);
        for (var i = 0; i < n; i++, b += bStride, a++, second++)
        {
            var v = TCache.Load<TSimd, TVector>(b);
            c0 = TSimd.MultiplyAdd(TSimd.Broadcast(a[0]), v, c0);
            c1 = TSimd.MultiplyAdd(TSimd.Broadcast(a[aStride]), v, c1);
            c2 = TSimd.MultiplyAdd(TSimd.Broadcast(a[2 * aStride]), v, c2);
            c3 = TSimd.MultiplyAdd(TSimd.Broadcast(a[3 * aStride]), v, c3);
            c4 = TSimd.MultiplyAdd(TSimd.Broadcast(second[0]), v, c4);
            c5 = TSimd.MultiplyAdd(TSimd.Broadcast(second[aStride]), v, c5);
            c6 = TSimd.MultiplyAdd(TSimd.Broadcast(second[2 * aStride]), v, c6);
            c7 = TSimd.MultiplyAdd(TSimd.Broadcast(second[3 * aStride]), v, c7);
        }

        TSimd.Store(c, c0);
        TSimd.Store(c + cStride, c1);
        TSimd.Store(c + (2 * cStride), c2);
        TSimd.Store(c + (3 * cStride), c3);
        TSimd.Store(c + (4 * cStride), c4);
        TSimd.Store(c + (5 * cStride), c5);
        TSimd.Store(c + (6 * cStride), c6);
        TSimd.Store(c + (7 * cStride), c7);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows4(float* a, nint aStride, byte* b, nint bStride, int n, float* c, nint cStride)
    {
        var c0 = TSimd.Load(c);
        var c1 = TSimd.Load(c + cStride);
        var c2 = TSimd.Load(c + (2 * cStride));
        var c3 = TSimd.Load(c + (3 * cStride));
        for (var i = 0; i < n; i++, b += bStride, a++)
        {
            var v = TCache.Load<TSimd, TVector>(b);
            c0 = TSimd.MultiplyAdd(TSimd.Broadcast(a[0]), v, c0);
            c1 = TSimd.MultiplyAdd(TSimd.Broadcast(a[aStride]), v, c1);
            c2 = TSimd.MultiplyAdd(TSimd.Broadcast(a[2 * aStride]), v, c2);
            c3 = TSimd.MultiplyAdd(TSimd.Broadcast(a[3 * aStride]), v, c3);
        }

        TSimd.Store(c, c0);
        TSimd.Store(c + cStride, c1);
        TSimd.Store(c + (2 * cStride), c2);
        TSimd.Store(c + (3 * cStride), c3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows2(float* a, nint aStride, byte* b, nint bStride, int n, float* c, nint cStride)
    {
        var c0 = TSimd.Load(c);
        var c1 = TSimd.Load(c + cStride);
        for (var i = 0; i < n; i++, b += bStride, a++)
        {
            var v = TCache.Load<TSimd, TVector>(b);
            c0 = TSimd.MultiplyAdd(TSimd.Broadcast(a[0]), v, c0);
            c1 = TSimd.MultiplyAdd(TSimd.Broadcast(a[aStride]), v, c1);
        }

        TSimd.Store(c, c0);
        TSimd.Store(c + cStride, c1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows1(float* a, byte* b, nint bStride, int n, float* c)
    {
        var sum = TSimd.Load(c);
        for (var i = 0; i < n; i++, b += bStride)
            sum = TSimd.MultiplyAdd(TSimd.Broadcast(a[i]), TCache.Load<TSimd, TVector>(b), sum);
        TSimd.Store(c, sum);
    }
}
