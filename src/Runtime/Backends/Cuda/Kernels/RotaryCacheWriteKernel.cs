using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>How heads of queries and keys are normed.</summary>
internal enum HeadNorm
{
    /// <summary>Not.</summary>
    None,

    /// <summary>By their root mean square.</summary>
    Rms,

    /// <summary>By mean and variance.</summary>
    Layer,
}

/// <summary>Twin of RotaryCacheWriteParams in kernels/rotary_cache_write.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RotaryCacheWriteParams
{
    public nuint Qkv;
    public nuint Q;
    public nuint Table;
    public nuint Positions;
    public nuint Spans;
    public nuint Slots;
    public nuint Keys;
    public nuint Values;
    public nuint QueryNorm;
    public nuint KeyNorm;
    public nuint QueryNormBias;
    public nuint KeyNormBias;
    public int Tokens;
    public int Stride;
    public int QStride;
    public int QueryHeads;
    public int KeyHeads;
    public int Rotary;
    public HeadNorm HeadNorm;
    public float Epsilon;
    public float Clip;
    public int PerToken;
    public int LogFrom;
    public int KeyTurns;
    public int NormLast;
}

/// <summary>kernels/rotary_cache_write.cu.</summary>
internal static class RotaryCacheWriteKernel
{
    private const int Threads = 128;
    private const int Warps = Threads / 32;

    /// <summary>An instance for a type of queries and cache.</summary>
    public static KernelInstance Instance(DataType cache, int headSize)
    {
        var row = HeadSizes.Row(headSize);
        return new("rotary_cache_write.cu", $"weft::rotary_cache_write<{cache.CudaName()},{headSize}{(row == headSize ? "" : $",{row}")}>");
    }

    /// <summary>One warp a head of a token.</summary>
    public static LaunchShape Shape(int tokens, int queryHeads, int keyHeads) =>
        new(((tokens * (queryHeads + (2 * keyHeads))) + Warps - 1) / Warps, 1, 1, Threads, 0);

    /// <summary>All types and sizes that attention is compiled for, and those of released models between them.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        from cache in ElementType.Halves
        from size in HeadSizes.All.Append(100)
        select Instance(cache, size);
}

/// <summary>
/// Head sizes that attention is compiled for, and what becomes of others: they have zeros behind them, in queries and in the cache, up to the next of these.
/// </summary>
internal static class HeadSizes
{
    /// <summary>Ascending.</summary>
    public static IReadOnlyList<int> All { get; } = [16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 256];

    /// <summary>Attention takes heads of this size: elements turn and are written in pairs.</summary>
    public static bool Fits(int headSize) => headSize % 2 == 0 && headSize <= All[^1];

    /// <summary>Elements that attention reads of a head.</summary>
    public static int Row(int headSize) => All.First(size => size >= headSize);
}
