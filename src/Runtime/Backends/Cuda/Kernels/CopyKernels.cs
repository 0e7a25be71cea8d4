using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of CopyRowsParams in kernels/copy.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CopyRowsParams
{
    public nuint X;
    public nuint Rows;
    public nuint Y;
    public int Width;
    public int XStride;
    public int YStride;
}

/// <summary>Twin of CopyHeadsParams in kernels/copy.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CopyHeadsParams
{
    public nuint X;
    public nuint Y;
    public int Tokens;
    public int Heads;
    public int XSize;
    public int YSize;
    public int XStride;
    public int YStride;
}

/// <summary>Twin of CopyBlockParams in kernels/copy.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CopyBlockParams
{
    public nuint Layers;
    public nuint Bytes;
    public int Source;
    public int Target;
}

/// <summary>Twin of FillParams in kernels/copy.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FillParams
{
    public nuint Y;
    public long Count;
    public float Value;
}

/// <summary>kernels/copy.cu.</summary>
internal static class CopyKernels
{
    private const int Threads = 128;
    private const int Warps = Threads / 32;

    /// <summary>Copies a cache block in every layer.</summary>
    public static KernelInstance Block { get; } = new("copy.cu", "weft::copy_block");

    /// <summary>Copies or gathers rows, converting between types; <paramref name="add"/> adds to what is there.</summary>
    public static KernelInstance Rows(DataType x, DataType y, bool add = false) =>
        new("copy.cu", $"weft::copy_rows<{x.CudaName()},{y.CudaName()},{(add ? "true" : "false")}>");

    /// <summary>Copies heads of one size to places of another.</summary>
    public static KernelInstance Heads(DataType x, DataType y) => new("copy.cu", $"weft::copy_heads<{x.CudaName()},{y.CudaName()}>");

    /// <summary>Fills with one value.</summary>
    public static KernelInstance Fill(DataType y) => new("copy.cu", $"weft::fill<{y.CudaName()}>");

    /// <summary>One block a row, or a layer's keys or values.</summary>
    public static LaunchShape RowShape(int rows) => new(rows, 1, 1, Threads, 0);

    /// <summary>One warp a head of a token.</summary>
    public static LaunchShape HeadShape(int tokens, int heads) => new(((tokens * heads) + Warps - 1) / Warps, 1, 1, Threads, 0);

    /// <summary>One thread an element.</summary>
    public static LaunchShape FillShape(long count) => new((int)((count + Threads - 1) / Threads), 1, 1, Threads, 0);

    /// <summary>All types.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        ElementType.Halves.SelectMany(type => (KernelInstance[])
            [
                Rows(DataType.Float32, DataType.Float32),
                Rows(DataType.Float32, DataType.Float32, add: true),
                Rows(type, type),
                Rows(type, DataType.Float32),
                Rows(type, DataType.Float32, add: true),
                Rows(DataType.Float32, type),
                Heads(DataType.Float32, type),
                Heads(type, type),
                Fill(type),
                Fill(DataType.Float32),
            ]).Append(Block).Distinct();
}
