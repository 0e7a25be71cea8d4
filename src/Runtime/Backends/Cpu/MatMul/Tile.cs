using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weft.Backends.Cpu.Simd;

namespace Weft.Backends.Cpu.MatMul;

/// <summary>Which bytes a tile asks the caches for while it computes: four places a step, moving on as the step does.</summary>
/// <param name="First">The first place.</param>
/// <param name="Lane">Bytes from one place to the next.</param>
/// <param name="Advance">Step sizes that the places move by with each step.</param>
internal readonly unsafe struct Prefetch(byte* First, nint Lane, int Advance)
{
    public readonly byte* First = First;
    public readonly nint Lane = Lane;
    public readonly int Advance = Advance;
}

/// <summary>
/// The inner loops of every dense product: four rows of weights [4, K] times one, three, six or eight tokens [t, K], in dot-product form.
/// Every weight register serves all tokens of the tile and every activation register all four rows, so that six tokens keep both
/// FMA units busy from 20 loads per 48 products; weights need no repacking, which is what makes small batches cheap.
/// The sum of a (row, token) pair is formed in the same order in all tiles: results do not depend on the batch.
/// </summary>
/// <remarks>Packed activations: [step][token][2·Width], see <see cref="IWeightFormat.Pack"/>. Sums: [token][4].</remarks>
internal static unsafe class Tile<TSimd, TVector, TWeights>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TWeights : struct, IWeightFormat
{
    /// <summary>
    /// Eight tokens, the batch of a busy server: two rows at a time, because four rows' sums would not fit the registers.
    /// </summary>
    [MethodImpl(Hot.Path)]
    public static void Tokens8(byte* w0, byte* w1, byte* w2, byte* w3, float* x, nint steps, float* sums, in Prefetch ahead)
    {
        TwoRows8(w0, w1, x, steps, sums, ahead);
        TwoRows8(w2, w3, x, steps, sums + 2, new Prefetch(w2, 0, 0));
    }

    [MethodImpl(Hot.Path)]
    private static void TwoRows8(byte* w0, byte* w1, float* x, nint steps, float* sums, in Prefetch ahead)
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero;
        TVector b0 = TSimd.Zero, b1 = TSimd.Zero;
        TVector c0 = TSimd.Zero, c1 = TSimd.Zero;
        TVector d0 = TSimd.Zero, d1 = TSimd.Zero;
        TVector e0 = TSimd.Zero, e1 = TSimd.Zero;
        TVector f0 = TSimd.Zero, f1 = TSimd.Zero;
        TVector g0 = TSimd.Zero, g1 = TSimd.Zero;
        TVector h0 = TSimd.Zero, h1 = TSimd.Zero;
        var stride = (nint)(2 * TSimd.Width * TWeights.ElementSize);
        var end = steps * stride;
        var line = ahead.First;
        var lane = ahead.Lane;
        var advance = ahead.Advance * stride;
        for (nint offset = 0; offset < end; offset += stride)
        {
            TSimd.Prefetch(line);
            TSimd.Prefetch(line + lane);
            TSimd.Prefetch(line + (2 * lane));
            TSimd.Prefetch(line + (3 * lane));
            line += advance;
            var r0 = TWeights.First<TSimd, TVector>(w0 + offset);
            var r1 = TWeights.First<TSimd, TVector>(w1 + offset);
            var v = TSimd.Load(x);
            a0 = TSimd.MultiplyAdd(v, r0, a0);
            a1 = TSimd.MultiplyAdd(v, r1, a1);
            v = TSimd.Load(x + (2 * TSimd.Width));
            b0 = TSimd.MultiplyAdd(v, r0, b0);
            b1 = TSimd.MultiplyAdd(v, r1, b1);
            v = TSimd.Load(x + (4 * TSimd.Width));
            c0 = TSimd.MultiplyAdd(v, r0, c0);
            c1 = TSimd.MultiplyAdd(v, r1, c1);
            v = TSimd.Load(x + (6 * TSimd.Width));
            d0 = TSimd.MultiplyAdd(v, r0, d0);
            d1 = TSimd.MultiplyAdd(v, r1, d1);
            v = TSimd.Load(x + (8 * TSimd.Width));
            e0 = TSimd.MultiplyAdd(v, r0, e0);
            e1 = TSimd.MultiplyAdd(v, r1, e1);
            v = TSimd.Load(x + (10 * TSimd.Width));
            f0 = TSimd.MultiplyAdd(v, r0, f0);
            f1 = TSimd.MultiplyAdd(v, r1, f1);
            v = TSimd.Load(x + (12 * TSimd.Width));
            g0 = TSimd.MultiplyAdd(v, r0, g0);
            g1 = TSimd.MultiplyAdd(v, r1, g1);
            v = TSimd.Load(x + (14 * TSimd.Width));
            h0 = TSimd.MultiplyAdd(v, r0, h0);
            h1 = TSimd.MultiplyAdd(v, r1, h1);

            r0 = TWeights.Second<TSimd, TVector>(w0 + offset);
            r1 = TWeights.Second<TSimd, TVector>(w1 + offset);
            v = TSimd.Load(x + TSimd.Width);
            a0 = TSimd.MultiplyAdd(v, r0, a0);
            a1 = TSimd.MultiplyAdd(v, r1, a1);
            v = TSimd.Load(x + (3 * TSimd.Width));
            b0 = TSimd.MultiplyAdd(v, r0, b0);
            b1 = TSimd.MultiplyAdd(v, r1, b1);
            v = TSimd.Load(x + (5 * TSimd.Width));
            c0 = TSimd.MultiplyAdd(v, r0, c0);
            c1 = TSimd.MultiplyAdd(v, r1, c1);
            v = TSimd.Load(x + (7 * TSimd.Width));
            d0 = TSimd.MultiplyAdd(v, r0, d0);
            d1 = TSimd.MultiplyAdd(v, r1, d1);
            v = TSimd.Load(x + (9 * TSimd.Width));
            e0 = TSimd.MultiplyAdd(v, r0, e0);
            e1 = TSimd.MultiplyAdd(v, r1, e1);
            v = TSimd.Load(x + (11 * TSimd.Width));
            f0 = TSimd.MultiplyAdd(v, r0, f0);
            f1 = TSimd.MultiplyAdd(v, r1, f1);
            v = TSimd.Load(x + (13 * TSimd.Width));
            g0 = TSimd.MultiplyAdd(v, r0, g0);
            g1 = TSimd.MultiplyAdd(v, r1, g1);
            v = TSimd.Load(x + (15 * TSimd.Width));
            h0 = TSimd.MultiplyAdd(v, r0, h0);
            h1 = TSimd.MultiplyAdd(v, r1, h1);
            x += 16 * TSimd.Width;
        }

        Store(sums, TSimd.Sum4(a0, a1, b0, b1));
        Store(sums + 8, TSimd.Sum4(c0, c1, d0, d1));
        Store(sums + 16, TSimd.Sum4(e0, e1, f0, f1));
        Store(sums + 24, TSimd.Sum4(g0, g1, h0, h1));
    }

    // Two tokens' sums of two rows into [token][4].
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* sums, Vector128<float> both)
    {
        both.GetLower().Store(sums);
        both.GetUpper().Store(sums + 4);
    }

    [MethodImpl(Hot.Path)]
    public static void Tokens6(byte* w0, byte* w1, byte* w2, byte* w3, float* x, nint steps, float* sums, in Prefetch ahead)
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        TVector b0 = TSimd.Zero, b1 = TSimd.Zero, b2 = TSimd.Zero, b3 = TSimd.Zero;
        TVector c0 = TSimd.Zero, c1 = TSimd.Zero, c2 = TSimd.Zero, c3 = TSimd.Zero;
        TVector d0 = TSimd.Zero, d1 = TSimd.Zero, d2 = TSimd.Zero, d3 = TSimd.Zero;
        TVector e0 = TSimd.Zero, e1 = TSimd.Zero, e2 = TSimd.Zero, e3 = TSimd.Zero;
        TVector f0 = TSimd.Zero, f1 = TSimd.Zero, f2 = TSimd.Zero, f3 = TSimd.Zero;
        var stride = (nint)(2 * TSimd.Width * TWeights.ElementSize);
        var end = steps * stride;
        var line = ahead.First;
        var lane = ahead.Lane;
        var advance = ahead.Advance * stride;
        for (nint offset = 0; offset < end; offset += stride)
        {
            TSimd.Prefetch(line);
            TSimd.Prefetch(line + lane);
            TSimd.Prefetch(line + (2 * lane));
            TSimd.Prefetch(line + (3 * lane));
            line += advance;
            var r0 = TWeights.First<TSimd, TVector>(w0 + offset);
            var r1 = TWeights.First<TSimd, TVector>(w1 + offset);
            var r2 = TWeights.First<TSimd, TVector>(w2 + offset);
            var r3 = TWeights.First<TSimd, TVector>(w3 + offset);
            var v = TSimd.Load(x);
            a0 = TSimd.MultiplyAdd(v, r0, a0);
            a1 = TSimd.MultiplyAdd(v, r1, a1);
            a2 = TSimd.MultiplyAdd(v, r2, a2);
            a3 = TSimd.MultiplyAdd(v, r3, a3);
            v = TSimd.Load(x + (2 * TSimd.Width));
            b0 = TSimd.MultiplyAdd(v, r0, b0);
            b1 = TSimd.MultiplyAdd(v, r1, b1);
            b2 = TSimd.MultiplyAdd(v, r2, b2);
            b3 = TSimd.MultiplyAdd(v, r3, b3);
            v = TSimd.Load(x + (4 * TSimd.Width));
            c0 = TSimd.MultiplyAdd(v, r0, c0);
            c1 = TSimd.MultiplyAdd(v, r1, c1);
            c2 = TSimd.MultiplyAdd(v, r2, c2);
            c3 = TSimd.MultiplyAdd(v, r3, c3);
            v = TSimd.Load(x + (6 * TSimd.Width));
            d0 = TSimd.MultiplyAdd(v, r0, d0);
            d1 = TSimd.MultiplyAdd(v, r1, d1);
            d2 = TSimd.MultiplyAdd(v, r2, d2);
            d3 = TSimd.MultiplyAdd(v, r3, d3);
            v = TSimd.Load(x + (8 * TSimd.Width));
            e0 = TSimd.MultiplyAdd(v, r0, e0);
            e1 = TSimd.MultiplyAdd(v, r1, e1);
            e2 = TSimd.MultiplyAdd(v, r2, e2);
            e3 = TSimd.MultiplyAdd(v, r3, e3);
            v = TSimd.Load(x + (10 * TSimd.Width));
            f0 = TSimd.MultiplyAdd(v, r0, f0);
            f1 = TSimd.MultiplyAdd(v, r1, f1);
            f2 = TSimd.MultiplyAdd(v, r2, f2);
            f3 = TSimd.MultiplyAdd(v, r3, f3);

            r0 = TWeights.Second<TSimd, TVector>(w0 + offset);
            r1 = TWeights.Second<TSimd, TVector>(w1 + offset);
            r2 = TWeights.Second<TSimd, TVector>(w2 + offset);
            r3 = TWeights.Second<TSimd, TVector>(w3 + offset);
            v = TSimd.Load(x + TSimd.Width);
            a0 = TSimd.MultiplyAdd(v, r0, a0);
            a1 = TSimd.MultiplyAdd(v, r1, a1);
            a2 = TSimd.MultiplyAdd(v, r2, a2);
            a3 = TSimd.MultiplyAdd(v, r3, a3);
            v = TSimd.Load(x + (3 * TSimd.Width));
            b0 = TSimd.MultiplyAdd(v, r0, b0);
            b1 = TSimd.MultiplyAdd(v, r1, b1);
            b2 = TSimd.MultiplyAdd(v, r2, b2);
            b3 = TSimd.MultiplyAdd(v, r3, b3);
            v = TSimd.Load(x + (5 * TSimd.Width));
            c0 = TSimd.MultiplyAdd(v, r0, c0);
            c1 = TSimd.MultiplyAdd(v, r1, c1);
            c2 = TSimd.MultiplyAdd(v, r2, c2);
            c3 = TSimd.MultiplyAdd(v, r3, c3);
            v = TSimd.Load(x + (7 * TSimd.Width));
            d0 = TSimd.MultiplyAdd(v, r0, d0);
            d1 = TSimd.MultiplyAdd(v, r1, d1);
            d2 = TSimd.MultiplyAdd(v, r2, d2);
            d3 = TSimd.MultiplyAdd(v, r3, d3);
            v = TSimd.Load(x + (9 * TSimd.Width));
            e0 = TSimd.MultiplyAdd(v, r0, e0);
            e1 = TSimd.MultiplyAdd(v, r1, e1);
            e2 = TSimd.MultiplyAdd(v, r2, e2);
            e3 = TSimd.MultiplyAdd(v, r3, e3);
            v = TSimd.Load(x + (11 * TSimd.Width));
            f0 = TSimd.MultiplyAdd(v, r0, f0);
            f1 = TSimd.MultiplyAdd(v, r1, f1);
            f2 = TSimd.MultiplyAdd(v, r2, f2);
            f3 = TSimd.MultiplyAdd(v, r3, f3);
            x += 12 * TSimd.Width;
        }

        *(Vector128<float>*)sums = TSimd.Sum4(a0, a1, a2, a3);
        *(Vector128<float>*)(sums + 4) = TSimd.Sum4(b0, b1, b2, b3);
        *(Vector128<float>*)(sums + 8) = TSimd.Sum4(c0, c1, c2, c3);
        *(Vector128<float>*)(sums + 12) = TSimd.Sum4(d0, d1, d2, d3);
        *(Vector128<float>*)(sums + 16) = TSimd.Sum4(e0, e1, e2, e3);
        *(Vector128<float>*)(sums + 20) = TSimd.Sum4(f0, f1, f2, f3);
    }

    [MethodImpl(Hot.Path)]
    public static void Tokens3(byte* w0, byte* w1, byte* w2, byte* w3, float* x, nint steps, float* sums, in Prefetch ahead)
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        TVector b0 = TSimd.Zero, b1 = TSimd.Zero, b2 = TSimd.Zero, b3 = TSimd.Zero;
        TVector c0 = TSimd.Zero, c1 = TSimd.Zero, c2 = TSimd.Zero, c3 = TSimd.Zero;
        var stride = (nint)(2 * TSimd.Width * TWeights.ElementSize);
        var end = steps * stride;
        var line = ahead.First;
        var lane = ahead.Lane;
        var advance = ahead.Advance * stride;
        for (nint offset = 0; offset < end; offset += stride)
        {
            TSimd.Prefetch(line);
            TSimd.Prefetch(line + lane);
            TSimd.Prefetch(line + (2 * lane));
            TSimd.Prefetch(line + (3 * lane));
            line += advance;
            var r0 = TWeights.First<TSimd, TVector>(w0 + offset);
            var r1 = TWeights.First<TSimd, TVector>(w1 + offset);
            var r2 = TWeights.First<TSimd, TVector>(w2 + offset);
            var r3 = TWeights.First<TSimd, TVector>(w3 + offset);
            var v = TSimd.Load(x);
            a0 = TSimd.MultiplyAdd(v, r0, a0);
            a1 = TSimd.MultiplyAdd(v, r1, a1);
            a2 = TSimd.MultiplyAdd(v, r2, a2);
            a3 = TSimd.MultiplyAdd(v, r3, a3);
            v = TSimd.Load(x + (2 * TSimd.Width));
            b0 = TSimd.MultiplyAdd(v, r0, b0);
            b1 = TSimd.MultiplyAdd(v, r1, b1);
            b2 = TSimd.MultiplyAdd(v, r2, b2);
            b3 = TSimd.MultiplyAdd(v, r3, b3);
            v = TSimd.Load(x + (4 * TSimd.Width));
            c0 = TSimd.MultiplyAdd(v, r0, c0);
            c1 = TSimd.MultiplyAdd(v, r1, c1);
            c2 = TSimd.MultiplyAdd(v, r2, c2);
            c3 = TSimd.MultiplyAdd(v, r3, c3);

            r0 = TWeights.Second<TSimd, TVector>(w0 + offset);
            r1 = TWeights.Second<TSimd, TVector>(w1 + offset);
            r2 = TWeights.Second<TSimd, TVector>(w2 + offset);
            r3 = TWeights.Second<TSimd, TVector>(w3 + offset);
            v = TSimd.Load(x + TSimd.Width);
            a0 = TSimd.MultiplyAdd(v, r0, a0);
            a1 = TSimd.MultiplyAdd(v, r1, a1);
            a2 = TSimd.MultiplyAdd(v, r2, a2);
            a3 = TSimd.MultiplyAdd(v, r3, a3);
            v = TSimd.Load(x + (3 * TSimd.Width));
            b0 = TSimd.MultiplyAdd(v, r0, b0);
            b1 = TSimd.MultiplyAdd(v, r1, b1);
            b2 = TSimd.MultiplyAdd(v, r2, b2);
            b3 = TSimd.MultiplyAdd(v, r3, b3);
            v = TSimd.Load(x + (5 * TSimd.Width));
            c0 = TSimd.MultiplyAdd(v, r0, c0);
            c1 = TSimd.MultiplyAdd(v, r1, c1);
            c2 = TSimd.MultiplyAdd(v, r2, c2);
            c3 = TSimd.MultiplyAdd(v, r3, c3);
            x += 6 * TSimd.Width;
        }

        *(Vector128<float>*)sums = TSimd.Sum4(a0, a1, a2, a3);
        *(Vector128<float>*)(sums + 4) = TSimd.Sum4(b0, b1, b2, b3);
        *(Vector128<float>*)(sums + 8) = TSimd.Sum4(c0, c1, c2, c3);
    }

    [MethodImpl(Hot.Path)]
    public static void Tokens1(byte* w0, byte* w1, byte* w2, byte* w3, float* x, nint steps, float* sums, in Prefetch ahead)
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
        var stride = (nint)(2 * TSimd.Width * TWeights.ElementSize);
        var end = steps * stride;
        var line = ahead.First;
        var lane = ahead.Lane;
        var advance = ahead.Advance * stride;
        for (nint offset = 0; offset < end; offset += stride)
        {
            TSimd.Prefetch(line);
            TSimd.Prefetch(line + lane);
            TSimd.Prefetch(line + (2 * lane));
            TSimd.Prefetch(line + (3 * lane));
            line += advance;
            var v = TSimd.Load(x);
            a0 = TSimd.MultiplyAdd(v, TWeights.First<TSimd, TVector>(w0 + offset), a0);
            a1 = TSimd.MultiplyAdd(v, TWeights.First<TSimd, TVector>(w1 + offset), a1);
            a2 = TSimd.MultiplyAdd(v, TWeights.First<TSimd, TVector>(w2 + offset), a2);
            a3 = TSimd.MultiplyAdd(v, TWeights.First<TSimd, TVector>(w3 + offset), a3);
            v = TSimd.Load(x + TSimd.Width);
            a0 = TSimd.MultiplyAdd(v, TWeights.Second<TSimd, TVector>(w0 + offset), a0);
            a1 = TSimd.MultiplyAdd(v, TWeights.Second<TSimd, TVector>(w1 + offset), a1);
            a2 = TSimd.MultiplyAdd(v, TWeights.Second<TSimd, TVector>(w2 + offset), a2);
            a3 = TSimd.MultiplyAdd(v, TWeights.Second<TSimd, TVector>(w3 + offset), a3);
            x += 2 * TSimd.Width;
        }

        *(Vector128<float>*)sums = TSimd.Sum4(a0, a1, a2, a3);
    }

    /// <summary>
    /// One token and two chunks of rows, each with its own activations: what a batch of one reads, in the order in which it lies in
    /// memory. The sums are those of <see cref="Tokens1"/>. Two chunks at a time are enough to keep up with the memory, and leave most
    /// of L1 to the activations and to what is on its way.
    /// </summary>
    /// <returns>Where the next call goes on prefetching, from <paramref name="line"/> on.</returns>
    [MethodImpl(Hot.Path)]
    public static byte* Token1(byte* w0, byte* w1, float* x0, float* x1, nint chunkBytes, float* sums, byte* line)
    {
        TVector a0 = TSimd.Zero, a1 = TSimd.Zero;
        var stride = (nint)(2 * TSimd.Width * TWeights.ElementSize);
        nint i = 0;
        for (nint offset = 0; offset < chunkBytes; offset += stride, i += 2 * TSimd.Width)
        {
            TSimd.Prefetch(line);
            TSimd.Prefetch(line + stride);
            line += 2 * stride;
            a0 = TSimd.MultiplyAdd(TSimd.Load(x0 + i), TWeights.First<TSimd, TVector>(w0 + offset), a0);
            a1 = TSimd.MultiplyAdd(TSimd.Load(x1 + i), TWeights.First<TSimd, TVector>(w1 + offset), a1);
            a0 = TSimd.MultiplyAdd(TSimd.Load(x0 + i + TSimd.Width), TWeights.Second<TSimd, TVector>(w0 + offset), a0);
            a1 = TSimd.MultiplyAdd(TSimd.Load(x1 + i + TSimd.Width), TWeights.Second<TSimd, TVector>(w1 + offset), a1);
        }

        var both = TSimd.Sum4(a0, a1, TSimd.Zero, TSimd.Zero);
        sums[0] = both[0];
        sums[1] = both[1];
        return line;
    }

    /// <summary>
    /// One token and whole rows so short that reducing and storing them would take as long as multiplying: four rows at a time hide the
    /// latency of the multiply-adds and share one reduction, and nothing is called in between. The sums are those of <see cref="Tokens1"/>.
    /// </summary>
    [MethodImpl(Hot.Path)]
    public static void ShortRows(byte* w, nint rowBytes, int groups, float* x, float* y, float* bias, bool accumulate, nint ahead)
    {
        var stride = (nint)(2 * TSimd.Width * TWeights.ElementSize);
        for (; groups > 0; groups--)
        {
            TVector a0 = TSimd.Zero, a1 = TSimd.Zero, a2 = TSimd.Zero, a3 = TSimd.Zero;
            var end = w + rowBytes;
            var line = w + ahead;
            var v = x;
            for (; w < end; w += stride, v += 2 * TSimd.Width)
            {
                TSimd.Prefetch(line);
                TSimd.Prefetch(line + stride);
                TSimd.Prefetch(line + (2 * stride));
                TSimd.Prefetch(line + (3 * stride));
                line += 4 * stride;
                var first = TSimd.Load(v);
                a0 = TSimd.MultiplyAdd(first, TWeights.First<TSimd, TVector>(w), a0);
                a1 = TSimd.MultiplyAdd(first, TWeights.First<TSimd, TVector>(w + rowBytes), a1);
                a2 = TSimd.MultiplyAdd(first, TWeights.First<TSimd, TVector>(w + (2 * rowBytes)), a2);
                a3 = TSimd.MultiplyAdd(first, TWeights.First<TSimd, TVector>(w + (3 * rowBytes)), a3);
                var second = TSimd.Load(v + TSimd.Width);
                a0 = TSimd.MultiplyAdd(second, TWeights.Second<TSimd, TVector>(w), a0);
                a1 = TSimd.MultiplyAdd(second, TWeights.Second<TSimd, TVector>(w + rowBytes), a1);
                a2 = TSimd.MultiplyAdd(second, TWeights.Second<TSimd, TVector>(w + (2 * rowBytes)), a2);
                a3 = TSimd.MultiplyAdd(second, TWeights.Second<TSimd, TVector>(w + (3 * rowBytes)), a3);
            }

            w += 3 * rowBytes;
            var sums = TSimd.Sum4(a0, a1, a2, a3);
            if (accumulate)
                sums += Vector128.Load(y);
            if (bias != null)
            {
                sums += Vector128.Load(bias);
                bias += 4;
            }

            sums.Store(y);
            y += 4;
        }
    }
}
