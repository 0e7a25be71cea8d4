using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of HeadLinearParams in kernels/head_linear.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HeadLinearParams
{
    public nuint X;
    public nuint Weight;
    public nuint Y;
    public int Rows;
    public int Outputs;
    public int Inner;
    public int XStride;
    public int YStride;
}

/// <summary>kernels/head_linear.cu.</summary>
internal static class HeadLinearKernel
{
    private const int Threads = 128;
    private const int OutputsPerBlock = 64;
    private const int RowsPerBlock = 32;

    /// <summary>An instance.</summary>
    public static KernelInstance Instance(DataType type, DataType y) => new("head_linear.cu", $"weft::head_linear<{type.CudaName()},{y.CudaName()}>");

    /// <summary>One block 64 outputs of a head, for 32 rows.</summary>
    public static LaunchShape Shape(int rows, int outputs, int heads) =>
        new((outputs + OutputsPerBlock - 1) / OutputsPerBlock, (rows + RowsPerBlock - 1) / RowsPerBlock, heads, Threads, 0);

    /// <summary>All types.</summary>
    public static IEnumerable<KernelInstance> Instances => ElementType.Halves.SelectMany(type => (KernelInstance[])[Instance(type, type), Instance(type, DataType.Float32)]);
}

/// <summary>Twin of LatentWriteParams in kernels/latent_write.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LatentWriteParams
{
    public nuint Turned;
    public nuint LatentQueries;
    public nuint Key;
    public nuint Latent;
    public nuint Q;
    public nuint Cache;
    public nuint Table;
    public nuint Positions;
    public nuint Slots;
    public int Tokens;
    public int Heads;
    public int Rotary;
    public int Rank;
    public int TurnedStride;
    public int LatentQueriesStride;
    public int KeyStride;
    public int LatentStride;
    public int QStride;
    public int PerToken;
    public int LogFrom;
}

/// <summary>kernels/latent_write.cu.</summary>
internal static class LatentWriteKernel
{
    private const int Threads = 128;
    private const int Warps = Threads / 32;

    /// <summary>An instance for a type of queries and cache.</summary>
    public static KernelInstance Instance(DataType cache) => new("latent_write.cu", $"weft::latent_write<{cache.CudaName()}>");

    /// <summary>One warp a head of a token, and one for the key of all.</summary>
    public static LaunchShape Shape(int tokens, int heads) => new(((tokens * (heads + 1)) + Warps - 1) / Warps, 1, 1, Threads, 0);

    /// <summary>All types.</summary>
    public static IEnumerable<KernelInstance> Instances => ElementType.Halves.Select(Instance);
}

/// <summary>Twin of AttentionLatentParams in kernels/attention_latent.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AttentionLatentParams
{
    public nuint Q;
    public nuint Cache;
    public nuint Y;
    public nuint Tiles;
    public nuint PromptEnds;
    public nuint Rows;
    public nuint Tables;
    public nuint Positions;
    public nuint BlockTables;
    public ScoreParams Score;
    public int Heads;
    public int QStride;
    public int YStride;
    public int MaxBlocks;
}

/// <summary>kernels/attention_latent.cu.</summary>
internal static class AttentionLatentKernel
{
    private const int Threads = 128;
    private const int HeadsPerBlock = 16;
    private const int Keys = 32;

    /// <summary>An instance.</summary>
    /// <param name="types">Of the result, and of queries and cache.</param>
    /// <param name="turned">R.</param>
    /// <param name="rank">L.</param>
    /// <param name="variant">What is done to scores.</param>
    public static KernelInstance Instance(AttentionTypes types, int turned, int rank, AttentionVariant variant) =>
        new("attention_latent.cu", $"weft::attention_latent<{types.CudaNames},{turned},{rank},{(int)variant}>");

    /// <summary>One block a token and 16 heads.</summary>
    /// <param name="places">Tokens that were drawn, or tiles.</param>
    /// <param name="tokensEach">Of a tile; 1 for tokens that were drawn.</param>
    /// <param name="heads">H.</param>
    /// <param name="headSize">D.</param>
    public static LaunchShape Shape(int places, int tokensEach, int heads, int headSize)
    {
        var row = ((headSize + 31) / 32 * 32) + 8;
        return new(
            places, (heads + HeadsPerBlock - 1) / HeadsPerBlock, tokensEach, Threads, ((HeadsPerBlock + Keys) * row * sizeof(ushort)) + (HeadsPerBlock * (Keys + 4) * sizeof(float)));
    }

    /// <summary>The sizes of DeepSeek-V2 and V3, of MiniCPM3, and small ones.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        from types in AttentionTypes.Usual
        from sizes in ((int Turned, int Rank)[])[(64, 512), (32, 256), (32, 32)]
        select Instance(types, sizes.Turned, sizes.Rank, AttentionVariant.Causal);
}
