using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of AttentionDecodeParams in kernels/attention_decode.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AttentionDecodeParams
{
    public nuint Q;
    public nuint Keys;
    public nuint Values;
    public nuint Y;
    public nuint Partial;
    public nuint Counters;
    public nuint Rows;
    public nuint Tables;
    public nuint Positions;
    public nuint BlockTables;
    public ScoreParams Score;
    public int QueryHeads;
    public int KeyHeads;
    public int QStride;
    public int YStride;
    public int MaxBlocks;
    public int Splits;
}

/// <summary>kernels/attention_decode.cu.</summary>
internal static class AttentionDecodeKernel
{
    private const int Threads = 128;
    private const int Warps = Threads / 32;
    private const int SplitPositions = 256;

    /// <summary>Parts of the cache that blocks take, for contexts of at most <paramref name="positions"/>.</summary>
    /// <param name="positions">Longest context.</param>
    /// <param name="window">Positions that a query sees, or null.</param>
    public static int Splits(int positions, int? window = null)
    {
        var all = (positions + SplitPositions - 1) / SplitPositions;
        // A window may begin in the middle of a split.
        return window is { } seen ? Math.Min(all, ((seen + SplitPositions - 1) / SplitPositions) + 1) : all;
    }

    /// <summary>An instance; a block takes up to four of a group's heads.</summary>
    public static KernelInstance Instance(AttentionTypes types, int headSize, int groupHeads, AttentionVariant variant) =>
        new("attention_decode.cu", $"weft::attention_decode<{types.CudaNames},{headSize},{HeadsPerBlock(groupHeads)},{(int)variant}>");

    /// <summary>One block a split, part of a group's heads, and place.</summary>
    public static LaunchShape Shape(int places, int queryHeads, int keyHeads, int headSize, int splits)
    {
        var heads = HeadsPerBlock(queryHeads / keyHeads);
        return new(splits, keyHeads * Parts(queryHeads / keyHeads), places, Threads, Warps * heads * (headSize + 2) * sizeof(float));
    }

    /// <summary>Bytes of AttentionDecodeParams.Partial.</summary>
    public static long PartialBytes(int places, int queryHeads, int headSize, int splits) => (long)places * queryHeads * splits * (headSize + 2) * sizeof(float);

    /// <summary>Counters, all zero before the first launch.</summary>
    public static int Counters(int places, int queryHeads, int keyHeads) => places * keyHeads * Parts(queryHeads / keyHeads);

    /// <summary>What the LLaMA lineage needs at every head size, the other variants at two, and a cache of bf16 at one.</summary>
    public static IEnumerable<KernelInstance> Instances
    {
        get
        {
            foreach (var types in AttentionTypes.Usual)
            {
                foreach (var heads in (int[])[1, 2, 4])
                {
                    foreach (var size in HeadSizes.All)
                    {
                        yield return Instance(types, size, heads, AttentionVariant.Causal);
                        yield return Instance(types, size, heads, AttentionVariant.Causal | AttentionVariant.Window);
                    }
                }

                foreach (var variant in AttentionPrefillKernel.Variants)
                {
                    yield return Instance(types, 64, 1, variant);
                    yield return Instance(types, 128, 4, variant);
                }
            }

            yield return Instance(AttentionTypes.Wide, 128, 4, AttentionVariant.Causal);
        }
    }

    // Eight heads would need nearly 200 registers.
    private static int HeadsPerBlock(int groupHeads) => groupHeads == 1 ? 1 : groupHeads == 2 ? 2 : 4;

    private static int Parts(int groupHeads) => (groupHeads + HeadsPerBlock(groupHeads) - 1) / HeadsPerBlock(groupHeads);
}
