using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Models;
using Weft.Scheduling;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of AttentionPrefillParams in kernels/attention_prefill.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AttentionPrefillParams
{
    public nuint Q;
    public nuint Keys;
    public nuint Values;
    public nuint Y;
    public nuint Tiles;
    public nuint PromptEnds;
    public nuint Positions;
    public nuint BlockTables;
    public ScoreParams Score;
    public int QueryHeads;
    public int KeyHeads;
    public int QStride;
    public int YStride;
    public int MaxBlocks;
    public int TileTokens;
}

/// <summary>A tile of <see cref="AttentionPrefillKernel"/>.</summary>
/// <param name="Sequence">Place in the step.</param>
/// <param name="FirstToken">First row of the step.</param>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct AttentionTile(int Sequence, int FirstToken);

/// <summary>kernels/attention_prefill.cu.</summary>
internal static class AttentionPrefillKernel
{
    /// <summary>Rows of a tile; a group's heads share it.</summary>
    public const int TileRows = 64;

    /// <summary>The architecture whose warpgroups multiply together (wgmma): 9.0, no older and no newer one.</summary>
    public const int WarpgroupCapability = 90;

    private const int Threads = 128;
    private const int TuringSharedBytes = 64 * 1024;
    private const int AdaSharedBytes = 99 * 1024;
    private const int HopperSharedBytes = 227 * 1024;

    /// <summary>Tokens of a tile.</summary>
    public static int TokensPerTile(int queryHeads, int keyHeads) => TileRows / (queryHeads / keyHeads);

    /// <summary>Tokens of a tile of a model's step; <see cref="AttentionLatentKernel"/> takes any number.</summary>
    public static int TokensPerTile(AttentionDescription attention) => attention.Latent is null ? TokensPerTile(attention.QueryHeads, attention.KeyValueHeads) : TileRows;

    /// <summary>An instance for an architecture, whose shared memory decides how many keys a tile has and how many tiles are under way.</summary>
    public static KernelInstance Instance(AttentionTypes types, int headSize, AttentionVariant variant, int computeCapability)
    {
        var (products, keys, stages, _) = TilingOf(headSize, computeCapability);
        return new("attention_prefill.cu", $"weft::attention_prefill<{types.CudaNames},{headSize},{keys},{stages},{(int)variant},weft::{products}Products>");
    }

    /// <summary>One block a tile and key/value head.</summary>
    public static LaunchShape Shape(int tiles, int keyHeads, int headSize, int computeCapability) =>
        new(tiles, keyHeads, 1, Threads, TilingOf(headSize, computeCapability).SharedBytes);

    /// <summary>Lists the tiles of prompts' tokens in the step; returns how many.</summary>
    /// <param name="batch">The step.</param>
    /// <param name="tokensPerTile">Tokens of a tile.</param>
    /// <param name="tiles">Receives them.</param>
    public static int List(StepBatch batch, int tokensPerTile, Span<AttentionTile> tiles)
    {
        var count = 0;
        for (var sequence = 0; sequence < batch.SequenceCount; sequence++)
        {
            for (var token = batch.SequenceStarts[sequence]; token < batch.PromptEnds[sequence]; token += tokensPerTile)
                tiles[count++] = new(sequence, token);
        }

        return count;
    }

    /// <summary>Most tiles of a step.</summary>
    public static int MostTiles(int maxTokens, int maxSequences, int tokensPerTile) => (maxTokens / tokensPerTile) + maxSequences;

    /// <summary>What the LLaMA lineage needs at every head size, the other variants at two, and a cache of bf16 at one.</summary>
    public static IEnumerable<KernelInstance> Instances(int computeCapability)
    {
        foreach (var types in AttentionTypes.Usual)
        {
            foreach (var size in HeadSizes.All)
            {
                yield return Instance(types, size, AttentionVariant.Causal, computeCapability);
                yield return Instance(types, size, AttentionVariant.Causal | AttentionVariant.Window, computeCapability);
            }

            foreach (var variant in Variants)
            {
                yield return Instance(types, 64, variant, computeCapability);
                yield return Instance(types, 128, variant, computeCapability);
            }
        }

        yield return Instance(AttentionTypes.Wide, 128, AttentionVariant.Causal, computeCapability);
    }

    /// <summary>Combinations that models have, beyond causal with or without a window.</summary>
    public static IReadOnlyList<AttentionVariant> Variants { get; } =
    [
        AttentionVariant.Full,
        AttentionVariant.Causal | AttentionVariant.Prefix,
        AttentionVariant.Causal | AttentionVariant.Alibi,
        AttentionVariant.Causal | AttentionVariant.SoftCap,
        AttentionVariant.Causal | AttentionVariant.SoftCap | AttentionVariant.Window,
        AttentionVariant.Causal | AttentionVariant.Sinks,
        AttentionVariant.Causal | AttentionVariant.Sinks | AttentionVariant.Window,
        AttentionVariant.Causal | AttentionVariant.Distances,
        AttentionVariant.Distances,
    ];

    private static Tiling TilingOf(int headSize, int computeCapability)
    {
        // wgmma exists on 9.0 alone. Wider heads would keep more than 255 registers: 256 columns of output and the queries.
        if (computeCapability == WarpgroupCapability && headSize <= 192)
        {
            // Two blocks a multiprocessor, so that one's softmax runs beside the other's products.
            var twoStages = new Tiling("Warpgroup", 64, 2, headSize);
            return 2 * twoStages.SharedBytes <= HopperSharedBytes ? twoStages : twoStages with { Stages = 1 };
        }

        // 8.6 and 8.9 have 99 KiB a block, 7.5 has 64, the others more. Eight elements more a row keep rows in different banks.
        var limit = computeCapability < 80 ? TuringSharedBytes : AdaSharedBytes;
        foreach (var (keys, stages) in ((int, int)[])[(64, 2), (64, 1), (32, 1)])
        {
            var tiling = new Tiling("Warp", keys, stages, headSize + 8);
            // Without cp.async a second stage only costs registers.
            if (tiling.SharedBytes <= limit && (stages == 1 || computeCapability >= 80))
                return tiling;
        }

        return new("Warp", 16, 1, headSize + 8);
    }

    /// <summary>How a block goes through the keys.</summary>
    /// <param name="Products">WarpProducts or WarpgroupProducts of the kernel.</param>
    /// <param name="Keys">Positions of a tile.</param>
    /// <param name="Stages">Tiles in shared memory.</param>
    /// <param name="RowElements">Of shared memory a row.</param>
    private readonly record struct Tiling(string Products, int Keys, int Stages, int RowElements)
    {
        public int SharedBytes => (TileRows + (2 * Stages * Keys)) * RowElements * sizeof(ushort);
    }
}
