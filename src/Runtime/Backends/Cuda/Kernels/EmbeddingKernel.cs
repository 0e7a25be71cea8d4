using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of EmbeddingParams in kernels/embedding.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct EmbeddingParams
{
    public nuint Table;
    public nuint PositionTable;
    public nuint TokenIds;
    public nuint Drawn;
    public nuint Positions;
    public nuint Y;
    public int Width;
    public int Stride;
    public int PositionStride;
    public int YStride;
    public int PositionOffset;
    public float Scale;
}

/// <summary>kernels/embedding.cu.</summary>
internal static class EmbeddingKernel
{
    private const int Threads = 128;

    /// <summary>For a table of <paramref name="type"/>.</summary>
    public static KernelInstance Instance(DataType type) => new("embedding.cu", $"weft::embedding<{type.CudaName()}>");

    /// <summary>One block a token.</summary>
    public static LaunchShape Shape(int tokens) => new(tokens, 1, 1, Threads, 0);

    /// <summary>All types.</summary>
    public static IEnumerable<KernelInstance> Instances => ElementType.Halves.Append(DataType.Float32).Select(Instance);
}
