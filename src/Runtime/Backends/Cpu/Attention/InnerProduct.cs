using System.Runtime.CompilerServices;
using Weft.Backends.Cpu.Simd;

namespace Weft.Backends.Cpu.Attention;

/// <summary>
/// Scores where keys lie row by row because they are values, too: C[rows, n] = A[rows, k] · B[n, k]ᵀ, with B in the cache's format. A load of B, and its
/// conversion, serves up to four rows. A result does not depend on what runs with it.
/// </summary>
internal static unsafe class InnerProduct<TSimd, TVector, TCache>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TCache : struct, ICacheFormat
{
    /// <summary>C[rows, n] = A · Bᵀ.</summary>
    /// <param name="rows">8, 4, 2 or 1.</param>
    /// <param name="a">A, row after row.</param>
    /// <param name="k">Columns of A and B, whole registers of the widest kind.</param>
    /// <param name="b">B, row after row.</param>
    /// <param name="n">Rows of B.</param>
    /// <param name="c">C.</param>
    /// <param name="cStride">Floats from a row of C to the next.</param>
    [MethodImpl(Hot.Path)]
    public static void Run(int rows, float* a, int k, byte* b, int n, float* c, nint cStride)
    {
        for (var j = 0; j < n; j++, b += (nint)k * TCache.ElementSize)
        {
            if (rows == 8)
            {
                Rows4(a, k, b, c + j, cStride);
                Rows4(a + (4 * (nint)k), k, b, c + (4 * cStride) + j, cStride);
            }
            else if (rows == 4)
            {
                Rows4(a, k, b, c + j, cStride);
            }
            else
            {
                for (var row = 0; row < rows; row++)
                    c[(row * cStride) + j] = Row(a + (row * (nint)k), k, b);
            }
        }
    }

    // Two sums a row, one of each other register, in every shape: they cover the latency of the products.
    [MethodImpl(Hot.Path)]
    private static void Rows4(float* a, int k, byte* b, float* c, nint cStride)
    {
        TVector e0 = TSimd.Zero, e1 = TSimd.Zero, e2 = TSimd.Zero, e3 = TSimd.Zero;
        TVector o0 = TSimd.Zero, o1 = TSimd.Zero, o2 = TSimd.Zero, o3 = TSimd.Zero;
        var a1 = a + k;
        var a2 = a1 + k;
        var a3 = a2 + k;
        var i = 0;
        for (; i + (2 * TSimd.Width) <= k; i += 2 * TSimd.Width)
        {
            var even = TCache.Load<TSimd, TVector>(b + (i * TCache.ElementSize));
            var odd = TCache.Load<TSimd, TVector>(b + ((i + TSimd.Width) * TCache.ElementSize));
            e0 = TSimd.MultiplyAdd(TSimd.Load(a + i), even, e0);
            o0 = TSimd.MultiplyAdd(TSimd.Load(a + i + TSimd.Width), odd, o0);
            e1 = TSimd.MultiplyAdd(TSimd.Load(a1 + i), even, e1);
            o1 = TSimd.MultiplyAdd(TSimd.Load(a1 + i + TSimd.Width), odd, o1);
            e2 = TSimd.MultiplyAdd(TSimd.Load(a2 + i), even, e2);
            o2 = TSimd.MultiplyAdd(TSimd.Load(a2 + i + TSimd.Width), odd, o2);
            e3 = TSimd.MultiplyAdd(TSimd.Load(a3 + i), even, e3);
            o3 = TSimd.MultiplyAdd(TSimd.Load(a3 + i + TSimd.Width), odd, o3);
        }

        if (i < k)
        {
            var last = TCache.Load<TSimd, TVector>(b + (i * TCache.ElementSize));
            e0 = TSimd.MultiplyAdd(TSimd.Load(a + i), last, e0);
            e1 = TSimd.MultiplyAdd(TSimd.Load(a1 + i), last, e1);
            e2 = TSimd.MultiplyAdd(TSimd.Load(a2 + i), last, e2);
            e3 = TSimd.MultiplyAdd(TSimd.Load(a3 + i), last, e3);
        }

        c[0] = TSimd.Sum(TSimd.Add(e0, o0));
        c[cStride] = TSimd.Sum(TSimd.Add(e1, o1));
        c[2 * cStride] = TSimd.Sum(TSimd.Add(e2, o2));
        c[3 * cStride] = TSimd.Sum(TSimd.Add(e3, o3));
    }

    [MethodImpl(Hot.Path)]
    private static float Row(float* a, int k, byte* b)
    {
        TVector even = TSimd.Zero, odd = TSimd.Zero;
        var i = 0;
        for (; i + (2 * TSimd.Width) <= k; i += 2 * TSimd.Width)
        {
            even = TSimd.MultiplyAdd(TSimd.Load(a + i), TCache.Load<TSimd, TVector>(b + (i * TCache.ElementSize)), even);
            odd = TSimd.MultiplyAdd(TSimd.Load(a + i + TSimd.Width), TCache.Load<TSimd, TVector>(b + ((i + TSimd.Width) * TCache.ElementSize)), odd);
        }

        if (i < k)
            even = TSimd.MultiplyAdd(TSimd.Load(a + i), TCache.Load<TSimd, TVector>(b + (i * TCache.ElementSize)), even);
        return TSimd.Sum(TSimd.Add(even, odd));
    }
}
