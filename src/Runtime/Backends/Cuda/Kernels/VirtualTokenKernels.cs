using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of VirtualRowsParams in kernels/virtual_tokens.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct VirtualRowsParams
{
    public nuint Table;
    public nuint Positions;
    public nuint X;
    public int Count;
    public int Width;
    public int Stride;
    public int XStride;
}

/// <summary>Twin of VirtualKeysParams in kernels/virtual_tokens.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct VirtualKeysParams
{
    public nuint Table;
    public nuint Positions;
    public nuint Slots;
    public nuint Keys;
    public nuint Values;
    public int Count;
    public int KeyHeads;
    public int HeadSize;
    public int CacheRow;
    public int Stride;
}

/// <summary>kernels/virtual_tokens.cu.</summary>
internal static class VirtualTokenKernels
{
    private const string Source = "virtual_tokens.cu";
    private const int Threads = 128;

    /// <summary>Puts rows of a table of <paramref name="type"/> into the residual stream.</summary>
    public static KernelInstance Rows(DataType type) => new(Source, $"weft::virtual_rows<{type.CudaName()}>");

    /// <summary>Puts rows of a table of <paramref name="type"/> into a cache.</summary>
    public static KernelInstance Keys(DataType type, DataType cache) => new(Source, $"weft::virtual_keys<{type.CudaName()},{cache.CudaName()}>");

    /// <summary>One block a token.</summary>
    public static LaunchShape Shape(int tokens) => new(tokens, 1, 1, Threads, 0);

    /// <summary>All types.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        ElementType.Halves.SelectMany(type => ElementType.Halves.Select(cache => Keys(type, cache)).Append(Rows(type)));
}
