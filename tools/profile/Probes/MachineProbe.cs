using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Weft.Backends;

namespace Weft.Profile.Probes;

/// <summary>
/// Measures the two ceilings of inference on this processor: bytes/s that all threads together read from memory (the ceiling
/// of decode) and floating-point operations/s of fused multiply-adds in registers (the ceiling of prefill).
/// </summary>
public sealed class MachineProbe(int threads)
{
    /// <summary>Far more than any cache holds: what is left from the previous pass does not matter.</summary>
    private const long ReadBytes = 1L << 30;

    private const int CacheLine = 64;

    /// <summary>Independent sums in the read loop, so that many loads are in flight.</summary>
    private const int ReadUnroll = 8;

    /// <summary>Independent chains: two units with a latency of four cycles need eight, and twelve fit the registers of every machine.</summary>
    private const int FusedChains = 12;

    /// <summary>About 30 ms at 4 GHz: long enough for the clock to settle.</summary>
    private const int FusedRounds = 10_000_000;

    private readonly int[][] memory = Allocate(threads);

    /// <summary>Threads that measure.</summary>
    public int Threads => threads;

    /// <summary>Reads the probe's memory once with all threads; returns bytes/s.</summary>
    public double MeasureReadBandwidth()
    {
        var sums = new int[threads];
        var time = ParallelTimer.Run(threads, index => sums[index] = Sum(memory[index]));
        GC.KeepAlive(sums);
        return memory.Sum(part => (double)part.Length * sizeof(int)) / time.TotalSeconds;
    }

    /// <summary>Runs fused multiply-adds on all threads; returns single-precision operations/s (two per multiply-add).</summary>
    public double MeasureFusedMultiplyAdd()
    {
        var sums = new float[threads];
        var time = ParallelTimer.Run(threads, index => sums[index] = Vector512.IsHardwareAccelerated ? Fused512(FusedRounds) : Fused256(FusedRounds));
        GC.KeepAlive(sums);
        var lanes = Vector512.IsHardwareAccelerated ? Vector512<float>.Count : Vector256<float>.Count;
        return 2.0 * lanes * FusedChains * FusedRounds * threads / time.TotalSeconds;
    }

    private static int[][] Allocate(int threads)
    {
        var available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var elements = Math.Min(ReadBytes, available / 4) / threads / sizeof(int);
        var parts = new int[threads][];
        // Each thread touches its own part first, which is where the system then places the pages.
        ParallelTimer.Run(threads, index => (parts[index] = GC.AllocateUninitializedArray<int>((int)elements, pinned: true)).AsSpan().Fill(1));
        return parts;
    }

    [MethodImpl(Hot.Path)]
    private static int Sum(int[] memory)
    {
        // Loads that straddle two cache lines cost twice; the data of an array starts anywhere.
        var skip = (int)(-Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0) & (CacheLine - 1)) / sizeof(int);
        ref var start = ref memory[skip];
        var step = (Vector512.IsHardwareAccelerated ? Vector512<int>.Count : Vector256<int>.Count) * ReadUnroll;
        var end = (nuint)((memory.Length - skip) / step * step);
        return Vector512.IsHardwareAccelerated ? Sum512(ref start, end) : Sum256(ref start, end);
    }

    [MethodImpl(Hot.Path)]
    private static int Sum512(ref int start, nuint end)
    {
        Vector512<int> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
        for (nuint i = 0; i < end; i += 16 * ReadUnroll)
        {
            s0 += Vector512.LoadUnsafe(ref start, i);
            s1 += Vector512.LoadUnsafe(ref start, i + 16);
            s2 += Vector512.LoadUnsafe(ref start, i + 32);
            s3 += Vector512.LoadUnsafe(ref start, i + 48);
            s4 += Vector512.LoadUnsafe(ref start, i + 64);
            s5 += Vector512.LoadUnsafe(ref start, i + 80);
            s6 += Vector512.LoadUnsafe(ref start, i + 96);
            s7 += Vector512.LoadUnsafe(ref start, i + 112);
        }

        return Vector512.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
    }

    [MethodImpl(Hot.Path)]
    private static int Sum256(ref int start, nuint end)
    {
        Vector256<int> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
        for (nuint i = 0; i < end; i += 8 * ReadUnroll)
        {
            s0 += Vector256.LoadUnsafe(ref start, i);
            s1 += Vector256.LoadUnsafe(ref start, i + 8);
            s2 += Vector256.LoadUnsafe(ref start, i + 16);
            s3 += Vector256.LoadUnsafe(ref start, i + 24);
            s4 += Vector256.LoadUnsafe(ref start, i + 32);
            s5 += Vector256.LoadUnsafe(ref start, i + 40);
            s6 += Vector256.LoadUnsafe(ref start, i + 48);
            s7 += Vector256.LoadUnsafe(ref start, i + 56);
        }

        return Vector256.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7);
    }

    // Every chain converges to y / (1 − x), so that no value overflows or becomes denormal.
    [MethodImpl(Hot.Path)]
    private static float Fused512(int rounds)
    {
        Vector512<float> x = Vector512.Create(0.5f), y = Vector512.Create(1f);
        Vector512<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (var round = 0; round < rounds; round++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y);
            b = Vector512.FusedMultiplyAdd(b, x, y);
            c = Vector512.FusedMultiplyAdd(c, x, y);
            d = Vector512.FusedMultiplyAdd(d, x, y);
            e = Vector512.FusedMultiplyAdd(e, x, y);
            f = Vector512.FusedMultiplyAdd(f, x, y);
            g = Vector512.FusedMultiplyAdd(g, x, y);
            h = Vector512.FusedMultiplyAdd(h, x, y);
            i = Vector512.FusedMultiplyAdd(i, x, y);
            j = Vector512.FusedMultiplyAdd(j, x, y);
            k = Vector512.FusedMultiplyAdd(k, x, y);
            l = Vector512.FusedMultiplyAdd(l, x, y);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(Hot.Path)]
    private static float Fused256(int rounds)
    {
        Vector256<float> x = Vector256.Create(0.5f), y = Vector256.Create(1f);
        Vector256<float> a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
        for (var round = 0; round < rounds; round++)
        {
            a = Vector256.FusedMultiplyAdd(a, x, y);
            b = Vector256.FusedMultiplyAdd(b, x, y);
            c = Vector256.FusedMultiplyAdd(c, x, y);
            d = Vector256.FusedMultiplyAdd(d, x, y);
            e = Vector256.FusedMultiplyAdd(e, x, y);
            f = Vector256.FusedMultiplyAdd(f, x, y);
            g = Vector256.FusedMultiplyAdd(g, x, y);
            h = Vector256.FusedMultiplyAdd(h, x, y);
            i = Vector256.FusedMultiplyAdd(i, x, y);
            j = Vector256.FusedMultiplyAdd(j, x, y);
            k = Vector256.FusedMultiplyAdd(k, x, y);
            l = Vector256.FusedMultiplyAdd(l, x, y);
        }

        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
