using System.Numerics;
using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of GemmParams in kernels/gemm.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GemmParams
{
    public nuint X;
    public nuint Low;
    public nuint Drawn;
    public nuint Weight;
    public nuint Bias;
    public nuint Y;
    public nuint Partial;
    public nuint Counters;
    public int Rows;
    public int Outputs;
    public int Inner;
    public int XStride;
    public int WStride;
    public int YStride;
}

/// <summary>kernels/gemm.cu.</summary>
internal static class GemmKernel
{
    private const int TileRows = 128; // of W in a block
    private const int Stages = 4;
    private const int Chunk = 32; // elements of K in a stage
    private const int Phases = 8; // sums of gemv's warps
    private const int WarpColumns = 32;
    private const int BlocksEach = 2; // of a multiprocessor

    /// <summary>Rows of x that the blocks of an instance take.</summary>
    public static IReadOnlyList<int> Widths { get; } = [32, 64, 128];

    /// <summary>An instance without a gate for <paramref name="rows"/> rows of an input of one or two parts (<see cref="GemvKernel.Parts"/>).</summary>
    public static KernelInstance Instance(DataType type, int rows, int parts, GemvOutput output) => Of(type, rows, parts, $"weft::{output}");

    /// <summary>An instance that multiplies activation(gate) with up.</summary>
    public static KernelInstance Gated(DataType type, int rows, int parts, Activation activation) => Of(type, rows, parts, $"weft::Gate<{activation.CudaName()}>");

    /// <summary>Blocks over outputs and rows, and splits of the eight sums where those alone are too few for the device.</summary>
    /// <param name="rows">N.</param>
    /// <param name="parts">Of the input.</param>
    /// <param name="outputs">M, of gate alone when gated.</param>
    /// <param name="gated">Gate and up meet.</param>
    /// <param name="multiprocessors">Of the device.</param>
    public static LaunchShape Shape(int rows, int parts, int outputs, bool gated, int multiprocessors)
    {
        var columns = Columns(rows);
        var (x, y) = (Up(outputs, gated ? TileRows / 2 : TileRows), Up(rows, columns));
        var splits = columns == Widths[^1] ? 1 : Math.Clamp(BlocksEach * multiprocessors / (x * y), 1, Phases);
        var warps = columns == WarpColumns ? 4 : 2 * columns / WarpColumns;
        return new(x, y, (int)BitOperations.RoundUpToPowerOf2((uint)splits + 1) / 2, warps * 32, Stages * (TileRows + (parts * columns)) * Chunk * sizeof(ushort));
    }

    /// <summary>Bytes of GemmParams.Partial of a launch.</summary>
    /// <param name="shape">The launch.</param>
    /// <param name="rows">N.</param>
    public static long PartialBytes(in LaunchShape shape, int rows) =>
        shape.GridZ == 1 ? 0 : (long)Phases * shape.GridX * shape.GridY * TileRows * Columns(rows) * sizeof(float);

    /// <summary>Most bytes of GemmParams.Partial that a product with a matrix can take.</summary>
    /// <param name="rows">Most rows of the input.</param>
    /// <param name="width">Rows of W.</param>
    /// <param name="gated">They are gate and up.</param>
    /// <param name="multiprocessors">Of the device.</param>
    public static long MostPartialBytes(int rows, int width, bool gated, int multiprocessors) => Widths
        .Select(columns => Math.Min(columns, rows))
        .Max(some => PartialBytes(Shape(some, 1, gated ? width / 2 : width, gated, multiprocessors), some));

    /// <summary>Counters of a product with <paramref name="width"/> rows of W.</summary>
    public static int Counters(int width) => Up(width, TileRows) + 1;

    /// <summary>What LLaMA-like models ask for.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        from type in ElementType.Halves
        from input in Enum.GetValues<GemvInput>()
        let parts = GemvKernel.Parts(type, input)
        from rows in Widths
        from instance in (IEnumerable<KernelInstance>)
        [
            .. Enum.GetValues<GemvOutput>().Select(output => Instance(type, rows, parts, output)),
            Gated(type, rows, parts, Activation.Silu),
            Gated(type, rows, parts, Activation.GeluTanh),
        ]
        select instance;

    private static int Columns(int rows) => Widths.FirstOrDefault(width => rows <= width, Widths[^1]);

    private static KernelInstance Of(DataType type, int rows, int parts, string output) => new("gemm.cu", $"weft::gemm<{type.CudaName()},{Columns(rows)},{parts},{output}>");

    private static int Up(int value, int unit) => (value + unit - 1) / unit;
}
