using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Which two dimensions turn together.</summary>
internal enum RotaryPairs
{
    /// <summary>i and i + D/2.</summary>
    HalfSplit,

    /// <summary>2i and 2i + 1.</summary>
    Interleaved,
}

/// <summary>Twin of RotaryCacheWriteParams in kernels/rotary_cache_write.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RotaryCacheWriteParams
{
    public nuint Qkv;
    public nuint Q;
    public nuint Table;
    public nuint Positions;
    public nuint Slots;
    public nuint Keys;
    public nuint Values;
    public nuint QueryNorm;
    public nuint KeyNorm;
    public int Tokens;
    public int Stride;
    public int QStride;
    public int QueryHeads;
    public int KeyHeads;
    public int Rotary;
    public float Epsilon;
    public float NormOffset;
}

/// <summary>kernels/rotary_cache_write.cu.</summary>
internal static class RotaryCacheWriteKernel
{
    private const int Threads = 128;
    private const int Warps = Threads / 32;

    /// <summary>An instance.</summary>
    public static KernelInstance Instance(DataType type, int headSize, RotaryPairs pairs = RotaryPairs.HalfSplit) =>
        new("rotary_cache_write.cu", $"weft::rotary_cache_write<{type.CudaName()},{headSize},weft::{pairs}>");

    /// <summary>One warp a head of a token.</summary>
    public static LaunchShape Shape(int tokens, int queryHeads, int keyHeads) =>
        new(((tokens * (queryHeads + (2 * keyHeads))) + Warps - 1) / Warps, 1, 1, Threads, 0);

    /// <summary>All head sizes, types and layouts.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        from type in ElementType.Halves
        from size in HeadSizes.All
        from pairs in Enum.GetValues<RotaryPairs>()
        select Instance(type, size, pairs);
}

/// <summary>Head sizes that attention is compiled for.</summary>
internal static class HeadSizes
{
    /// <summary>Ascending.</summary>
    public static IReadOnlyList<int> All { get; } = [32, 64, 80, 96, 112, 128, 192, 256];
}
