using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of MixParams in kernels/mix.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MixParams
{
    public nuint X;
    public nuint Delta;
    public nuint Adjustment;
    public nuint Weight;
    public nuint Y;
    public int Width;
    public int Stride;
    public int YStride;
}

/// <summary>Twin of BonusParams in kernels/bonus.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BonusParams
{
    public nuint KeyRate;
    public nuint First;
    public nuint R;
    public nuint K;
    public nuint V;
    public nuint A;
    public nuint Gate;
    public nuint X;
    public nuint Y;
    public int HeadSize;
    public int Stride;
    public int YStride;
}

/// <summary>kernels/mix.cu and bonus.cu.</summary>
internal static class MixKernels
{
    private const int Threads = 128;

    /// <summary>The gates of blocks that carry a state.</summary>
    private static readonly Activation[] Gates = [Activation.Silu, Activation.Sigmoid];

    /// <summary>All types.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        ElementType.Halves.Append(DataType.Float32).SelectMany(type => (KernelInstance[])[Mix(type), Lerp(type), Bonus(type), .. Gates.Select(gate => Gate(type, gate))]);

    /// <summary>x + delta · (w + adjustment).</summary>
    public static KernelInstance Mix(DataType y) => new("mix.cu", $"weft::mix<{y.CudaName()}>");

    /// <summary>x + (other − x) · amount.</summary>
    public static KernelInstance Lerp(DataType y) => new("mix.cu", $"weft::lerp<{y.CudaName()}>");

    /// <summary>activation(gate) · x.</summary>
    public static KernelInstance Gate(DataType y, Activation activation) => new("mix.cu", $"weft::gate<{y.CudaName()},{activation.CudaName()}>");

    /// <summary>kernels/bonus.cu.</summary>
    public static KernelInstance Bonus(DataType y) => new("bonus.cu", $"weft::bonus<{y.CudaName()}>");

    /// <summary>One block a row.</summary>
    public static LaunchShape Shape(int rows) => new(rows, 1, 1, Threads, 0);

    /// <summary>One warp a token and head.</summary>
    public static LaunchShape BonusShape(int rows, int heads) => new(heads, rows, 1, 32, 0);
}
