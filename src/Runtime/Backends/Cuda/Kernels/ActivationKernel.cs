using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of ActivationParams in kernels/activation.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ActivationParams
{
    public nuint X;
    public nuint Y;
    public int Rows;
    public int Width;
    public int XStride;
    public int YStride;
}

/// <summary>kernels/activation.cu.</summary>
internal static class ActivationKernel
{
    private const int Threads = 256;
    private const int PerBlock = Threads * 8;

    /// <summary>The C++ name of an activation.</summary>
    public static string CudaName(this Activation activation) => $"weft::{activation}";

    /// <summary>activation(gate) · up of two halves of a row.</summary>
    public static KernelInstance Gated(DataType type, Activation activation) => Instance(type, activation, "true");

    /// <summary>activation(x).</summary>
    public static KernelInstance Plain(DataType type, Activation activation) => Instance(type, activation, "false");

    /// <summary>Blocks along the row, then rows.</summary>
    public static LaunchShape Shape(int rows, int width) => new((width + PerBlock - 1) / PerBlock, rows, 1, Threads, 0);

    /// <summary>All activations, gated and plain, and the one that amounts of mixing have, which stay float32.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        (from type in ElementType.Halves
         from activation in Enum.GetValues<Activation>()
         from instance in (KernelInstance[])[Gated(type, activation), Plain(type, activation)]
         select instance).Append(Plain(DataType.Float32, Activation.Sigmoid));

    private static KernelInstance Instance(DataType type, Activation activation, string gated) =>
        new("activation.cu", $"weft::activation<{type.CudaName()},{activation.CudaName()},{gated}>");
}
