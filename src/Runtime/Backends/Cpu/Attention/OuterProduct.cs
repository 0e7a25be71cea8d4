using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;

namespace Weft.Backends.Cpu.Attention;

/// <summary>
/// The inner loop of attention, for scores and for mixing values alike: C[rows, Width] += A[rows, n] · B[n, Width], with B in the
/// cache's format. Each load of B, and its conversion, serves all rows; eight accumulators cover the latency of the products, so where rows
/// are few, as in decode, several columns of registers run together. A result does not depend on what runs with it.
/// </summary>
internal static unsafe class OuterProduct<TSimd, TVector, TCache>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TCache : struct, ICacheFormat
{
    /// <summary>C[rows, columns · Width] += A[rows, n] · B[n, columns · Width].</summary>
    /// <param name="rows">8, 4, 2 or 1.</param>
    /// <param name="a">A, its rows <paramref name="aStride"/> apart.</param>
    /// <param name="aStride">In floats.</param>
    /// <param name="b">Where each column of registers begins.</param>
    /// <param name="columns">How many of those.</param>
    /// <param name="bStride">Bytes from a row of B to the next.</param>
    /// <param name="n">Rows of B.</param>
    /// <param name="c">C, its columns side by side.</param>
    /// <param name="cStride">Floats from a row of C to the next.</param>
    [MethodImpl(Hot.Path)]
    public static void Run(int rows, float* a, nint aStride, byte** b, int columns, nint bStride, int n, float* c, nint cStride)
    {
        var j = 0;
        if (rows <= 2)
        {
            for (; j + 4 <= columns; j += 4, c += 4 * TSimd.Width)
            {
                if (rows == 2)
                    Rows2Columns4(a, aStride, b + j, bStride, n, c, cStride);
                else
                    Rows1Columns4(a, b + j, bStride, n, c);
            }
        }
        else if (rows == 4)
        {
            for (; j + 2 <= columns; j += 2, c += 2 * TSimd.Width)
                Rows4Columns2(a, aStride, b + j, bStride, n, c, cStride);
        }

        for (; j < columns; j++, c += TSimd.Width)
        {
            if (rows == 8)
                Rows8(a, aStride, b[j], bStride, n, c, cStride);
            else if (rows == 4)
                Rows4(a, aStride, b[j], bStride, n, c, cStride);
            else if (rows == 2)
                Rows2(a, aStride, b[j], bStride, n, c, cStride);
            else
                Rows1(a, b[j], bStride, n, c);
        }
    }

    [MethodImpl(Hot.Path)]
    private static void Rows8(float* a, nint aStride, byte* b, nint bStride, int n, float* c, nint cStride)
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

    [MethodImpl(Hot.Path)]
    private static void Rows4(float* a, nint aStride, byte* b, nint bStride, int n, float* c, nint cStride)
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

    [MethodImpl(Hot.Path)]
    private static void Rows2(float* a, nint aStride, byte* b, nint bStride, int n, float* c, nint cStride)
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

    [MethodImpl(Hot.Path)]
    private static void Rows1(float* a, byte* b, nint bStride, int n, float* c)
    {
        var sum = TSimd.Load(c);
        for (var i = 0; i < n; i++, b += bStride)
            sum = TSimd.MultiplyAdd(TSimd.Broadcast(a[i]), TCache.Load<TSimd, TVector>(b), sum);
        TSimd.Store(c, sum);
    }

    [MethodImpl(Hot.Path)]
    private static void Rows4Columns2(float* a, nint aStride, byte** b, nint bStride, int n, float* c, nint cStride)
    {
        var (b0, b1) = ((nint)b[0], (nint)b[1]);
        var c00 = TSimd.Load(c);
        var c01 = TSimd.Load(c + TSimd.Width);
        var c10 = TSimd.Load(c + cStride);
        var c11 = TSimd.Load(c + cStride + TSimd.Width);
        var c20 = TSimd.Load(c + (2 * cStride));
        var c21 = TSimd.Load(c + (2 * cStride) + TSimd.Width);
        var c30 = TSimd.Load(c + (3 * cStride));
        var c31 = TSimd.Load(c + (3 * cStride) + TSimd.Width);
        nint at = 0;
        for (var i = 0; i < n; i++, at += bStride, a++)
        {
            var v0 = TCache.Load<TSimd, TVector>((byte*)(b0 + at));
            var v1 = TCache.Load<TSimd, TVector>((byte*)(b1 + at));
            var first = TSimd.Broadcast(a[0]);
            c00 = TSimd.MultiplyAdd(first, v0, c00);
            c01 = TSimd.MultiplyAdd(first, v1, c01);
            var second = TSimd.Broadcast(a[aStride]);
            c10 = TSimd.MultiplyAdd(second, v0, c10);
            c11 = TSimd.MultiplyAdd(second, v1, c11);
            var third = TSimd.Broadcast(a[2 * aStride]);
            c20 = TSimd.MultiplyAdd(third, v0, c20);
            c21 = TSimd.MultiplyAdd(third, v1, c21);
            var fourth = TSimd.Broadcast(a[3 * aStride]);
            c30 = TSimd.MultiplyAdd(fourth, v0, c30);
            c31 = TSimd.MultiplyAdd(fourth, v1, c31);
        }

        TSimd.Store(c, c00);
        TSimd.Store(c + TSimd.Width, c01);
        TSimd.Store(c + cStride, c10);
        TSimd.Store(c + cStride + TSimd.Width, c11);
        TSimd.Store(c + (2 * cStride), c20);
        TSimd.Store(c + (2 * cStride) + TSimd.Width, c21);
        TSimd.Store(c + (3 * cStride), c30);
        TSimd.Store(c + (3 * cStride) + TSimd.Width, c31);
    }

    [MethodImpl(Hot.Path)]
    private static void Rows2Columns4(float* a, nint aStride, byte** b, nint bStride, int n, float* c, nint cStride)
    {
        var (b0, b1, b2, b3) = ((nint)b[0], (nint)b[1], (nint)b[2], (nint)b[3]);
        var c00 = TSimd.Load(c);
        var c01 = TSimd.Load(c + TSimd.Width);
        var c02 = TSimd.Load(c + (2 * TSimd.Width));
        var c03 = TSimd.Load(c + (3 * TSimd.Width));
        var c10 = TSimd.Load(c + cStride);
        var c11 = TSimd.Load(c + cStride + TSimd.Width);
        var c12 = TSimd.Load(c + cStride + (2 * TSimd.Width));
        var c13 = TSimd.Load(c + cStride + (3 * TSimd.Width));
        nint at = 0;
        for (var i = 0; i < n; i++, at += bStride)
        {
            var first = TSimd.Broadcast(a[i]);
            var second = TSimd.Broadcast(a[aStride + i]);
            var v0 = TCache.Load<TSimd, TVector>((byte*)(b0 + at));
            c00 = TSimd.MultiplyAdd(first, v0, c00);
            c10 = TSimd.MultiplyAdd(second, v0, c10);
            var v1 = TCache.Load<TSimd, TVector>((byte*)(b1 + at));
            c01 = TSimd.MultiplyAdd(first, v1, c01);
            c11 = TSimd.MultiplyAdd(second, v1, c11);
            var v2 = TCache.Load<TSimd, TVector>((byte*)(b2 + at));
            c02 = TSimd.MultiplyAdd(first, v2, c02);
            c12 = TSimd.MultiplyAdd(second, v2, c12);
            var v3 = TCache.Load<TSimd, TVector>((byte*)(b3 + at));
            c03 = TSimd.MultiplyAdd(first, v3, c03);
            c13 = TSimd.MultiplyAdd(second, v3, c13);
        }

        TSimd.Store(c, c00);
        TSimd.Store(c + TSimd.Width, c01);
        TSimd.Store(c + (2 * TSimd.Width), c02);
        TSimd.Store(c + (3 * TSimd.Width), c03);
        TSimd.Store(c + cStride, c10);
        TSimd.Store(c + cStride + TSimd.Width, c11);
        TSimd.Store(c + cStride + (2 * TSimd.Width), c12);
        TSimd.Store(c + cStride + (3 * TSimd.Width), c13);
    }

    [MethodImpl(Hot.Path)]
    private static void Rows1Columns4(float* a, byte** b, nint bStride, int n, float* c)
    {
        var (b0, b1, b2, b3) = ((nint)b[0], (nint)b[1], (nint)b[2], (nint)b[3]);
        var c00 = TSimd.Load(c);
        var c01 = TSimd.Load(c + TSimd.Width);
        var c02 = TSimd.Load(c + (2 * TSimd.Width));
        var c03 = TSimd.Load(c + (3 * TSimd.Width));
        nint at = 0;
        for (var i = 0; i < n; i++, at += bStride)
        {
            var first = TSimd.Broadcast(a[i]);
            var v0 = TCache.Load<TSimd, TVector>((byte*)(b0 + at));
            c00 = TSimd.MultiplyAdd(first, v0, c00);
            var v1 = TCache.Load<TSimd, TVector>((byte*)(b1 + at));
            c01 = TSimd.MultiplyAdd(first, v1, c01);
            var v2 = TCache.Load<TSimd, TVector>((byte*)(b2 + at));
            c02 = TSimd.MultiplyAdd(first, v2, c02);
            var v3 = TCache.Load<TSimd, TVector>((byte*)(b3 + at));
            c03 = TSimd.MultiplyAdd(first, v3, c03);
        }

        TSimd.Store(c, c00);
        TSimd.Store(c + TSimd.Width, c01);
        TSimd.Store(c + (2 * TSimd.Width), c02);
        TSimd.Store(c + (3 * TSimd.Width), c03);
    }
}
