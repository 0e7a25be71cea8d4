using System.Runtime.InteropServices;
using Weft.Interop;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Kernels;

/// <summary>Twin of RouteParams in kernels/route.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RouteParams
{
    public nuint Logits;
    public nuint Bias;
    public nuint Chosen;
    public nuint Weights;
    public int Rows;
    public int Experts;
    public int Active;
    public int Stride;
    public int Sigmoid;
    public int Groups;
    public int ActiveGroups;
    public int Leading;
    public int Normalized;
    public float Scale;
    public float Margin;
}

/// <summary>Twin of SortParams in kernels/route.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SortParams
{
    public nuint Chosen;
    public nuint Sources;
    public nuint Places;
    public nuint Tiles;
    public int Assignments;
    public int Experts;
    public int Active;
    public int MostTiles;
    public int Columns;
}

/// <summary>Twin of CombineParams in kernels/combine.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CombineParams
{
    public nuint X;
    public nuint Places;
    public nuint Weights;
    public nuint Y;
    public int Width;
    public int Active;
    public int XStride;
    public int WeightStride;
    public int YStride;
    public int Sigmoid;
}

/// <summary>Twin of ExpertRows::With in kernels/common/expert_rows.cuh.</summary>
/// <typeparam name="TProduct">What the product takes.</typeparam>
[StructLayout(LayoutKind.Sequential)]
internal struct ExpertParams<TProduct>
    where TProduct : unmanaged
{
    public TProduct Product;
    public nuint Tiles;
    public nuint Sources;
    public int Experts;
    public float Limit;
}

/// <summary>kernels/route.cu.</summary>
internal static class RouteKernel
{
    /// <summary>Integers that a tile of assignments takes.</summary>
    public const int TileInts = 4;

    private const int RouteWarps = 4;
    private const int SortThreads = 256;

    /// <summary>Chooses experts.</summary>
    public static KernelInstance Route { get; } = new("route.cu", "weft::route");

    /// <summary>Sorts assignments by expert.</summary>
    public static KernelInstance Sort { get; } = new("route.cu", "weft::sort_assignments");

    /// <summary>A warp a token.</summary>
    public static LaunchShape RouteShape(int rows, ExpertsDescription experts) => new(
        (rows + RouteWarps - 1) / RouteWarps, 1, 1, RouteWarps * 32, RouteWarps * sizeof(float) * ((2 * experts.Count) + (experts.Groups?.Count ?? 0) + experts.Active));

    /// <summary>A block an expert.</summary>
    public static LaunchShape SortShape(ExpertsDescription experts) => new(experts.Count, 1, 1, SortThreads, sizeof(int) * (experts.Count + 2 + (SortThreads / 32)));

    /// <summary>
    /// Most assignments of a tile: those that a block of the product multiplies at once. Few to an expert are a matter for gemv, which reads the weights of each
    /// eight of them.
    /// </summary>
    public static int Columns(int assignments, int experts) => (assignments + experts - 1) / experts is var each && each <= GemvKernel.MostRows / 2
        ? GemvKernel.MostRows
        : GemmKernel.Widths.FirstOrDefault(width => each <= width, GemmKernel.Widths[^1]);

    /// <summary>Tiles that there can be, whatever is chosen: every expert has at most one that is not full.</summary>
    public static int MostTiles(int assignments, int experts, int columns) => Math.Min(assignments, (assignments / columns) + experts);
}

/// <summary>kernels/combine.cu.</summary>
internal static class CombineKernel
{
    private const int Threads = 128;

    /// <summary>The only instance.</summary>
    public static KernelInstance Instance { get; } = new("combine.cu", "weft::combine");

    /// <summary>One block a row.</summary>
    public static LaunchShape Shape(int rows) => new(rows, 1, 1, Threads, 0);
}

/// <summary>gemv.cu and gemm.cu over tiles of assignments.</summary>
internal static class ExpertProductKernel
{
    private const string Rows = "weft::ExpertRows";

    /// <summary>What a product of up to eight assignments a block leaves as numbers: activations, or float32.</summary>
    public static KernelInstance Gemv(DataType type, int sets, GemvOutput output) => Gemv(type, sets, $"weft::{output}");

    /// <summary>One that multiplies activation(gate) with up.</summary>
    public static KernelInstance GatedGemv(DataType type, FeedForwardDescription block) => Gemv(type, 2, Gate(block));

    /// <summary>A product of more assignments a block: one of <see cref="GemmKernel.Widths"/>.</summary>
    public static KernelInstance Gemm(DataType type, int columns, GemvOutput output) => Gemm(type, columns, $"weft::{output}");

    /// <summary>One that multiplies activation(gate) with up.</summary>
    public static KernelInstance GatedGemm(DataType type, int columns, FeedForwardDescription block) => Gemm(type, columns, Gate(block));

    /// <summary>A product with quantized matrices, of up to eight assignments a block.</summary>
    public static KernelInstance Quantized(DataType type, CodeMeaning codes, GemvOutput output) => Quantized(type, codes, $"weft::{output}");

    /// <summary>One that multiplies activation(gate) with up.</summary>
    public static KernelInstance GatedQuantized(DataType type, CodeMeaning codes, FeedForwardDescription block) => Quantized(type, codes, Gate(block));

    /// <summary>A launch of an instance of gemv without a gate: blocks over outputs, then over tiles.</summary>
    public static LaunchShape GemvShape(int tiles, int outputs, int inner, int sets) =>
        GemvKernel.Shape(GemvKernel.MostRows, outputs, inner, sets, GemvInput.PlainInput, 1) with { GridY = tiles };

    /// <summary>A launch of <see cref="GatedGemv"/>.</summary>
    public static LaunchShape GatedGemvShape(int tiles, int outputs, int inner) =>
        GemvKernel.GatedShape(GemvKernel.MostRows, outputs, inner, GemvInput.PlainInput, 1) with { GridY = tiles };

    /// <summary>A launch of an instance of gemm, with or without a gate.</summary>
    public static LaunchShape GemmShape(int tiles, int columns, int outputs, bool gated) =>
        GemmKernel.Shape(columns, 1, outputs, gated, 1) with { GridY = tiles, GridZ = 1 };

    /// <summary>What models with experts ask for.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        from type in ElementType.Halves
        from instance in (IEnumerable<KernelInstance>)
        [
            .. Blocks.Select(block => GatedGemv(type, block)),
            GatedQuantized(type, new(DataType.Mxfp4), Blocks[^1]),
            Quantized(type, new(DataType.Mxfp4), GemvOutput.StoreFloat),
            .. CodeMeaning.Integers.SelectMany(codes => (KernelInstance[])[GatedQuantized(type, codes, Blocks[0]), Quantized(type, codes, GemvOutput.StoreFloat)]),
            Gemv(type, 1, GemvOutput.StoreFloat),
            Gemv(type, 2, GemvOutput.StoreFloat),
            Gemv(type, 1, GemvOutput.StoreHalf),
            Gemv(type, 2, GemvOutput.StoreHalf),
            .. from columns in GemmKernel.Widths
               from instance in (IEnumerable<KernelInstance>)
               [
                   .. Blocks.Select(block => GatedGemm(type, columns, block)), Gemm(type, columns, GemvOutput.StoreFloat), Gemm(type, columns, GemvOutput.StoreHalf),
               ]
               select instance,
        ]
        select instance;

    private static FeedForwardDescription[] Blocks =>
    [
        new() { IntermediateSize = 1, Activation = Activation.Silu },
        new() { IntermediateSize = 1, Activation = Activation.QuickGelu, Limit = 1 },
    ];

    private static string Gate(FeedForwardDescription block) => $"weft::{(block.Limit is null ? "Gate" : "LimitedGate")}<{block.Activation.CudaName()}>";

    private static KernelInstance Gemv(DataType type, int sets, string output) => new("gemv.cu", $"weft::gemv<{type.CudaName()},{sets},weft::PlainInput,{output},{Rows}>");

    private static KernelInstance Quantized(DataType type, CodeMeaning codes, string output) => new(
        "quantized_gemv.cu", $"weft::quantized_gemv<{type.CudaName()},{codes.Bits},{output},{Rows}{codes.Argument}>");

    private static KernelInstance Gemm(DataType type, int columns, string output) => new("gemm.cu", $"weft::gemm<{type.CudaName()},{columns},1,{output},{Rows}>");
}
