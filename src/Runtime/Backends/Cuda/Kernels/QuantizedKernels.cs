using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Models;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of QuantizedWeight in kernels/common/codes.cuh.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct QuantizedWeight
{
    public nuint Codes;
    public nuint Scales;
    public nuint ZeroPoints;
    public nuint Order;
    public int Tiles;
    public int Groups;
    public int GroupSize;
}

/// <summary>Twin of QuantizedGemvParams in kernels/quantized_gemv.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct QuantizedGemvParams
{
    public nuint X;
    public QuantizedWeight Weight;
    public nuint Bias;
    public nuint Y;
    public int Rows;
    public int Outputs;
    public int Inner;
    public int UpBlock;
    public int XStride;
    public int YStride;
}

/// <summary>Twin of DequantizeParams in kernels/dequantize.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DequantizeParams
{
    public QuantizedWeight Weight;
    public nuint Y;
    public int Rows;
    public int Columns;
    public int Stride;
}

/// <summary>Twin of OrderColumnsParams in kernels/dequantize.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct OrderColumnsParams
{
    public nuint X;
    public nuint Order;
    public nuint Y;
    public int Columns;
    public int XStride;
    public int YStride;
}

/// <summary>kernels/quantized_gemv.cu.</summary>
internal static class QuantizedGemvKernel
{
    /// <summary>More rows than this are a matter for cuBLAS.</summary>
    public const int MostRows = 8;

    private const int Threads = 256;
    private const int Warps = Threads / 32;

    /// <summary>An instance without a gate.</summary>
    public static KernelInstance Instance(DataType type, int bits, GemvOutput output) => Instance(type, bits, $"weft::{output}");

    /// <summary>An instance that multiplies activation(gate) with up.</summary>
    public static KernelInstance Gated(DataType type, int bits, Activation activation) => Instance(type, bits, $"weft::Gate<{activation.CudaName()}>");

    /// <summary>One block for 16 outputs.</summary>
    public static LaunchShape Shape(int outputs, bool gated) => new(
        (outputs + QuantizedLayout.TileRows - 1) / QuantizedLayout.TileRows, 1, 1, Threads,
        Warps * (gated ? 2 : 1) * QuantizedLayout.TileRows * MostRows * sizeof(float));

    /// <summary>What LLaMA-like models ask for.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        from type in ElementType.Halves
        from bits in (int[])[4, 8]
        from instance in (IEnumerable<KernelInstance>)
        [
            .. Enum.GetValues<GemvOutput>().Select(output => Instance(type, bits, output)),
            Gated(type, bits, Activation.Silu),
            Gated(type, bits, Activation.GeluTanh),
        ]
        select instance;

    private static KernelInstance Instance(DataType type, int bits, string output) =>
        new("quantized_gemv.cu", $"weft::quantized_gemv<{type.CudaName()},{bits},{output}>");
}

/// <summary>kernels/dequantize.cu.</summary>
internal static class DequantizeKernel
{
    private const int Threads = 256;
    private const int Warps = Threads / 32;

    /// <summary>Numbers of a type from codes.</summary>
    public static KernelInstance Instance(DataType type, int bits) => new("dequantize.cu", $"weft::dequantize<{type.CudaName()},{bits}>");

    /// <summary>A warp a tile.</summary>
    public static LaunchShape Shape(int tiles, int rowBlocks) => new((tiles + Warps - 1) / Warps, rowBlocks, 1, Threads, 0);

    /// <summary>Columns of activations in another order.</summary>
    public static KernelInstance OrderColumns(DataType type) => new("dequantize.cu", $"weft::order_columns<{type.CudaName()}>");

    /// <summary>One block a row.</summary>
    public static LaunchShape OrderShape(int rows) => new(rows, 1, 1, Threads, 0);

    /// <summary>All.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        ElementType.Halves.SelectMany(type => (KernelInstance[])[Instance(type, 4), Instance(type, 8), OrderColumns(type)]);
}
