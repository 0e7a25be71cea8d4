using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weft.Backends.Cpu.Quantized;

namespace Weft.Backends.Cpu.Words;

/// <summary>
/// A tile of int4 codes with one token, in registers alone: a single token waits for memory, and codes that are stored and loaded again are in its way. The sums are the same integers that an
/// <see cref="IProductUnit"/> gives.
/// </summary>
internal static unsafe class Int4Tile
{
    /// <summary>Exact products of sixteen rows with the tile's first and last 32 columns.</summary>
    /// <param name="tile">512 bytes.</param>
    /// <param name="x">[(high, low), 64] of the token.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<int> First, Vector512<int> Last) Multiply(byte* tile, byte* x)
    {
        var (t0, t1, t2, t3) = WideQuantizedMatMulKernel<WideInt4Code>.Turn((int*)tile);
        var (u0, u1, u2, u3) = WideQuantizedMatMulKernel<WideInt4Code>.Turn((int*)tile + (4 * Vector512<int>.Count));
        return (Half(t0, u0, t1, u1, x), Half(t2, u2, t3, u3, x + (WordInput.UnitColumns / 2)));
    }

    /// <summary>Two parts of sixteen columns: of each the lower and the upper four pairs of rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Half(Vector512<int> firstPairs, Vector512<int> lastPairs, Vector512<int> nextFirstPairs, Vector512<int> nextLastPairs, byte* x)
    {
        const int PartBytes = 16;
        Vector512<short> high = default, low = default;
        Add(firstPairs, lastPairs, x, ref high, ref low);
        Add(nextFirstPairs, nextLastPairs, x + PartBytes, ref high, ref low);
        // Sixteen products in each sum: at most 16 · 15 · 128.
        return (Avx512BW.MultiplyAddAdjacent(high, Vector512<short>.One) << 8) + Avx512BW.MultiplyAddAdjacent(low, Vector512<short>.One);
    }

    /// <summary>Adds a part's products with high and with low bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(Vector512<int> firstPairs, Vector512<int> lastPairs, byte* x, ref Vector512<short> high, ref Vector512<short> low)
    {
        var (first, last) = (firstPairs.AsInt64(), lastPairs.AsInt64());
        Add(Codes(first, last, Vector512.Create(0L, 1, 8, 9, 0, 1, 8, 9)), x, ref high, ref low);
        Add(Codes(first, last, Vector512.Create(2L, 3, 10, 11, 2, 3, 10, 11)), x + 4, ref high, ref low);
        Add(Codes(first, last, Vector512.Create(4L, 5, 12, 13, 4, 5, 12, 13)), x + 8, ref high, ref low);
        Add(Codes(first, last, Vector512.Create(6L, 7, 14, 15, 6, 7, 14, 15)), x + 12, ref high, ref low);
    }

    /// <summary>Four columns of sixteen rows, one code to a byte: the low halves of the bytes are the first eight rows, the high ones the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Codes(Vector512<long> firstPairs, Vector512<long> lastPairs, Vector512<long> twice) => Int4Code.Low(
        Avx512F.ShiftRightLogicalVariable(Avx512F.PermuteVar8x64x2(firstPairs, twice, lastPairs), Vector512.Create(0UL, 0, 0, 0, 4, 4, 4, 4)).AsByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(Vector512<byte> codes, byte* x, ref Vector512<short> high, ref Vector512<short> low)
    {
        high += Avx512BW.MultiplyAddAdjacent(codes, Vector512.Create(*(int*)x).AsSByte());
        low += Avx512BW.MultiplyAddAdjacent(codes, Vector512.Create(*(int*)(x + WordInput.UnitColumns)).AsSByte());
    }
}
