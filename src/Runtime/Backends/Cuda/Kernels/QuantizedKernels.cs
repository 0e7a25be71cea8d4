using System.Numerics;
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

/// <summary>What kernels must know of codes to be compiled for them.</summary>
/// <param name="Type">Of codes.</param>
/// <param name="Fractional"><see cref="Quantization.Fractional"/>.</param>
internal readonly record struct CodeMeaning(DataType Type, bool Fractional = false)
{
    /// <summary>All that integers can have.</summary>
    public static IReadOnlyList<CodeMeaning> Integers { get; } = [new(DataType.Int4), new(DataType.Int8), new(DataType.Int4, true), new(DataType.Int8, true)];

    /// <summary>Of a code.</summary>
    public int Bits => Type == DataType.Int8 ? 8 : 4;

    /// <summary>The last template argument where it is not the default, after a comma.</summary>
    public string Argument => Type == DataType.Mxfp4 ? ",weft::Mxfp4Meaning" : Fractional ? ",weft::FractionalMeaning" : "";
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

/// <summary>Twin of QuantizedGemmParams in kernels/quantized_gemm.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct QuantizedGemmParams
{
    public nuint X;
    public QuantizedWeight Weight;
    public nuint Bias;
    public nuint Y;
    public nuint Partial;
    public nuint Counters;
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
    /// <summary>More rows than this are a matter for <see cref="QuantizedGemmKernel"/>.</summary>
    public const int MostRows = 8;

    private const int Threads = 256;
    private const int Warps = Threads / 32;

    /// <summary>An instance without a gate.</summary>
    public static KernelInstance Instance(DataType type, CodeMeaning codes, GemvOutput output) => Instance(type, codes, $"weft::{output}");

    /// <summary>An instance that multiplies activation(gate) with up.</summary>
    public static KernelInstance Gated(DataType type, CodeMeaning codes, Activation activation) => Instance(type, codes, $"weft::Gate<{activation.CudaName()}>");

    /// <summary>One block for 16 outputs.</summary>
    public static LaunchShape Shape(int outputs, bool gated) => new(
        (outputs + QuantizedLayout.TileRows - 1) / QuantizedLayout.TileRows, 1, 1, Threads,
        Warps * (gated ? 2 : 1) * QuantizedLayout.TileRows * MostRows * sizeof(float));

    /// <summary>What LLaMA-like models ask for.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        from type in ElementType.Halves
        from codes in CodeMeaning.Integers
        from instance in (IEnumerable<KernelInstance>)
        [
            .. Enum.GetValues<GemvOutput>().Select(output => Instance(type, codes, output)),
            Gated(type, codes, Activation.Silu),
            Gated(type, codes, Activation.GeluTanh),
        ]
        select instance;

    private static KernelInstance Instance(DataType type, CodeMeaning codes, string output) =>
        new("quantized_gemv.cu", $"weft::quantized_gemv<{type.CudaName()},{codes.Bits},{output}{(codes.Argument.Length > 0 ? ",weft::OneMatrix" : "")}{codes.Argument}>");
}

/// <summary>kernels/quantized_gemm.cu.</summary>
internal static class QuantizedGemmKernel
{
    /// <summary>More rows than this give blocks enough for any device, and no product is split.</summary>
    private const int MostSplitRows = 128;

    /// <summary>Instances for this architecture multiply with the instruction of <see cref="QuantizedGemvKernel"/>, and so give its bits.</summary>
    public const int InvariantCapability = 80;

    private const int Threads = 128;
    private const int Warps = Threads / 32;
    private const int Sets = 2;
    private const int Stages = 3;
    private const int Shift = 32; // elements between a stage's halves
    private const int BlocksEach = 2; // of a multiprocessor
    private const int FewestTiles = 4; // of a split
    private const int Phases = 8; // sums of quantized_gemv's warps
    private static readonly int[] Widths = [16, 32, 64];

    /// <summary>The kernel reads rows of the input two numbers at a time.</summary>
    public static bool Fits(int inner) => inner % 2 == 0;

    /// <summary>An instance without a gate for <paramref name="rows"/> rows of the input.</summary>
    public static KernelInstance Instance(DataType type, CodeMeaning codes, int rows, GemvOutput output, int computeCapability) =>
        Of(type, codes, Columns(rows), $"weft::{output}", computeCapability);

    /// <summary>An instance that multiplies activation(gate) with up.</summary>
    public static KernelInstance Gated(DataType type, CodeMeaning codes, int rows, Activation activation, int computeCapability) =>
        Of(type, codes, Columns(rows), $"weft::Gate<{activation.CudaName()}>", computeCapability);

    /// <summary>Blocks over outputs and rows, and splits of the eight sums where those alone are too few for the device.</summary>
    /// <param name="rows">N.</param>
    /// <param name="outputs">M, of gate alone when gated.</param>
    /// <param name="inner">K.</param>
    /// <param name="bits">Of a code.</param>
    /// <param name="gated">Gate and up meet.</param>
    /// <param name="multiprocessors">Of the device.</param>
    public static LaunchShape Shape(int rows, int outputs, int inner, int bits, bool gated, int multiprocessors)
    {
        var columns = Columns(rows);
        var tileColumns = QuantizedLayout.TileBytes * 8 / (QuantizedLayout.TileRows * bits);
        var (x, y) = (Up(outputs, Warps * QuantizedLayout.TileRows * (gated ? 1 : Sets)), Up(rows, columns));
        var tiles = Up(inner, tileColumns);
        var splits = rows > MostSplitRows ? 1 : Math.Clamp(BlocksEach * multiprocessors / (x * y), 1, Math.Clamp(tiles / FewestTiles, 1, Phases));
        var stageElements = (columns * tileColumns) + Shift;
        var z = (int)BitOperations.RoundUpToPowerOf2((uint)splits + 1) / 2;
        return new(x, y, z, Threads, (Stages * stageElements * sizeof(ushort)) + SumsBytes(columns));
    }

    /// <summary>Counters of a product of <paramref name="outputs"/>: one for each block that splits share.</summary>
    public static int Counters(int outputs) => Up(outputs, Warps * QuantizedLayout.TileRows) * Up(MostSplitRows, Widths[^1]);

    /// <summary>Bytes of QuantizedGemmParams.Partial of a launch.</summary>
    /// <param name="shape">The launch.</param>
    /// <param name="rows">N.</param>
    public static long PartialBytes(in LaunchShape shape, int rows) =>
        shape.GridZ == 1 ? 0 : (long)Phases * shape.GridX * shape.GridY * SumsBytes(Columns(rows));

    /// <summary>Most bytes of QuantizedGemmParams.Partial that products with a matrix can take.</summary>
    /// <param name="width">Rows of W.</param>
    /// <param name="inner">K.</param>
    /// <param name="bits">Of a code.</param>
    /// <param name="gated">Gate and up meet.</param>
    /// <param name="multiprocessors">Of the device.</param>
    public static long MostPartialBytes(int width, int inner, int bits, bool gated, int multiprocessors) => new[] { Widths[0], Widths[1], Widths[2], MostSplitRows }
        .Max(rows => PartialBytes(Shape(rows, gated ? width / 2 : width, inner, bits, gated, multiprocessors), rows));

    /// <summary>What LLaMA-like models ask for.</summary>
    public static IEnumerable<KernelInstance> Instances(int computeCapability) =>
        from capability in new[] { InvariantCapability, computeCapability }
        from type in ElementType.Halves
        from codes in CodeMeaning.Integers
        from rows in Widths
        from instance in (IEnumerable<KernelInstance>)
        [
            .. Enum.GetValues<GemvOutput>().Select(output => Instance(type, codes, rows, output, capability)),
            Gated(type, codes, rows, Activation.Silu, capability),
            Gated(type, codes, rows, Activation.GeluTanh, capability),
        ]
        select instance;

    /// <summary><c>wgmma</c>, which exists on 9.0 alone.</summary>
    public static bool HasWarpgroups(int computeCapability) => computeCapability == AttentionPrefillKernel.WarpgroupCapability;

    private static int Columns(int rows) => Widths.FirstOrDefault(width => rows <= width, Widths[^1]);

    // The sums of a block.
    private static int SumsBytes(int columns) => Sets * QuantizedLayout.TileRows * Warps * columns * sizeof(float);

    private static KernelInstance Of(DataType type, CodeMeaning codes, int columns, string output, int computeCapability) =>
        new("quantized_gemm.cu", $"weft::quantized_gemm<{type.CudaName()},{codes.Bits},{columns},{output},weft::{(HasWarpgroups(computeCapability) ? "Warpgroup" : "Warp")}Input{codes.Argument}>");

    private static int Up(int value, int unit) => (value + unit - 1) / unit;
}

/// <summary>kernels/dequantize.cu.</summary>
internal static class DequantizeKernel
{
    private const int Threads = 256;
    private const int Warps = Threads / 32;

    /// <summary>Numbers of a type from codes.</summary>
    public static KernelInstance Instance(DataType type, CodeMeaning codes) => new("dequantize.cu", $"weft::dequantize<{type.CudaName()},{codes.Bits}{codes.Argument}>");

    /// <summary>A warp a tile.</summary>
    public static LaunchShape Shape(int tiles, int rowBlocks) => new((tiles + Warps - 1) / Warps, rowBlocks, 1, Threads, 0);

    /// <summary>Columns of activations in another order.</summary>
    public static KernelInstance OrderColumns(DataType type) => new("dequantize.cu", $"weft::order_columns<{type.CudaName()}>");

    /// <summary>One block a row.</summary>
    public static LaunchShape OrderShape(int rows) => new(rows, 1, 1, Threads, 0);

    /// <summary>All.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        ElementType.Halves.SelectMany(type => CodeMeaning.Integers.Select(codes => Instance(type, codes)).Append(OrderColumns(type)));
}
