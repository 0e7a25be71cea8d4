using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of GemvParams in kernels/gemv.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GemvParams
{
    public nuint X;
    public nuint Weight;
    public nuint Bias;
    public nuint NormWeight;
    public nuint Y;
    public int Rows;
    public int Outputs;
    public int Inner;
    public int XStride;
    public int WStride;
    public int YStride;
    public float Epsilon;
    public float NormOffset;
}

/// <summary>Where the input comes from.</summary>
internal enum GemvInput
{
    /// <summary>Activations as they are.</summary>
    PlainInput,

    /// <summary>The residual stream, normed on the way.</summary>
    RmsInput,
}

/// <summary>Where the result goes.</summary>
internal enum GemvOutput
{
    /// <summary>Activations.</summary>
    StoreHalf,

    /// <summary>Logits.</summary>
    StoreFloat,

    /// <summary>Added to the residual stream.</summary>
    Accumulate,
}

/// <summary>kernels/gemv.cu.</summary>
internal static class GemvKernel
{
    /// <summary>More rows than this are a matter for cuBLAS.</summary>
    public const int MostRows = 8;

    // What a block may stage of x: two blocks then fit a multiprocessor of 8.0 and 9.0.
    private const int MostSharedBytes = 80 * 1024;
    private const int Threads = 256;
    private const int Warps = Threads / 32;

    /// <summary>Rows of the batch that an instance is compiled for: the next power of two.</summary>
    public static int Batch(int rows) => rows <= 1 ? 1 : rows <= 2 ? 2 : rows <= 4 ? 4 : 8;

    /// <summary>The kernel takes <paramref name="rows"/> rows of <paramref name="inner"/> elements on <paramref name="device"/>.</summary>
    public static bool Fits(int rows, int inner, CudaDeviceInfo device) =>
        rows <= MostRows && SharedBytes(rows, inner) <= Math.Min(MostSharedBytes, device.SharedMemoryPerBlock);

    /// <summary>
    /// Rows of W a warp takes: as many as leave every multiprocessor at least two blocks' worth of warps, since more rows share the loads
    /// of x but fewer warps keep fewer bytes in flight.
    /// </summary>
    public static int RowsPerWarp(int outputs, int multiprocessors)
    {
        const int BlocksEach = 2;
        var warps = multiprocessors * BlocksEach * Warps;
        return outputs >= 4 * warps ? 4 : outputs >= 2 * warps ? 2 : 1;
    }

    /// <summary>An instance without a gate.</summary>
    public static KernelInstance Instance(DataType type, int rows, int rowsPerWarp, GemvInput input, GemvOutput output) =>
        Instance(type, rows, rowsPerWarp, input, $"weft::{output}");

    /// <summary>An instance that multiplies activation(gate) with up.</summary>
    public static KernelInstance Gated(DataType type, int rows, int rowsPerWarp, GemvInput input, Activation activation) =>
        Instance(type, rows, Math.Min(2, rowsPerWarp), input, $"weft::Gate<{activation.CudaName()}>");

    /// <summary>A launch over <paramref name="outputs"/> results a row.</summary>
    public static LaunchShape Shape(int rows, int outputs, int inner, int rowsPerWarp)
    {
        var perBlock = Warps * rowsPerWarp;
        return new((outputs + perBlock - 1) / perBlock, 1, 1, Threads, SharedBytes(rows, inner));
    }

    /// <summary>As <see cref="Shape"/>, of a gated instance.</summary>
    public static LaunchShape GatedShape(int rows, int outputs, int inner, int rowsPerWarp) => Shape(rows, outputs, inner, Math.Min(2, rowsPerWarp));

    /// <summary>What LLaMA-like models ask for.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        from type in ElementType.Halves
        from rows in (int[])[1, 2, 4, 8]
        from each in (int[])[1, 2, 4]
        from instance in (KernelInstance[])
        [
            Instance(type, rows, each, GemvInput.RmsInput, GemvOutput.StoreHalf),
            Instance(type, rows, each, GemvInput.RmsInput, GemvOutput.StoreFloat),
            Instance(type, rows, each, GemvInput.PlainInput, GemvOutput.Accumulate),
            Gated(type, rows, Math.Min(2, each), GemvInput.RmsInput, Activation.Silu),
        ]
        select instance;

    private static KernelInstance Instance(DataType type, int rows, int rowsPerWarp, GemvInput input, string output) =>
        new("gemv.cu", $"weft::gemv<{type.CudaName()},{Batch(rows)},{rowsPerWarp},weft::{input},{output}>");

    private static int SharedBytes(int rows, int inner) => (Warps * sizeof(float)) + (Batch(rows) * ((inner + 7) / 8 * 8) * sizeof(float));
}
