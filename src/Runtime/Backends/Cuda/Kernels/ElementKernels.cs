using System.Runtime.InteropServices;
using Weft.Interop;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of AddParams in kernels/add.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AddParams
{
    public nuint A;
    public nuint B;
    public nuint Y;
    public int Width;
    public int AStride;
    public int BStride;
    public int YStride;
    public float Scale;
}

/// <summary>Twin of ScaleLogitsParams in kernels/scale_logits.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ScaleLogitsParams
{
    public nuint X;
    public nuint RowScale;
    public int Width;
    public int Stride;
    public float Scale;
    public float SoftCap;
}

/// <summary>kernels/add.cu.</summary>
internal static class AddKernel
{
    private const int Threads = 128;

    /// <summary>The only instance.</summary>
    public static KernelInstance Instance { get; } = new("add.cu", "weft::add");

    /// <summary>One block a row.</summary>
    public static LaunchShape Shape(int rows) => new(rows, 1, 1, Threads, 0);
}

/// <summary>kernels/scale_logits.cu.</summary>
internal static class ScaleLogitsKernel
{
    private const int Threads = 256;
    private const int PerBlock = Threads * 8;

    /// <summary>The only instance.</summary>
    public static KernelInstance Instance { get; } = new("scale_logits.cu", "weft::scale_logits");

    /// <summary>Blocks along the row, then rows.</summary>
    public static LaunchShape Shape(int rows, int width) => new((width + PerBlock - 1) / PerBlock, rows, 1, Threads, 0);
}
