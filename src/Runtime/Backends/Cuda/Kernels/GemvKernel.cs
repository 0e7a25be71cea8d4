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
    public nuint Drawn;
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
    /// <summary>More rows than this are a matter for <see cref="GemmKernel"/> or cuBLAS.</summary>
    public const int MostRows = 8;

    private const int Threads = 256;
    private const int Warps = Threads / 32;
    private const int TileRows = 16; // of W in a fragment
    private const int Chunk = 32;
    private const int GateSets = 2;
    private const int MostSets = 2;
    private const int BlocksEach = 2; // of a multiprocessor: kGemvBlocks

    /// <summary>
    /// The kernel takes <paramref name="rows"/> rows of <paramref name="inner"/> elements: always few rows of activations; of a residual
    /// stream, if a block, which may have <paramref name="sharedMemoryPerBlock"/> bytes, can hold them normed.
    /// </summary>
    public static bool Fits(int rows, int inner, GemvInput input, int sharedMemoryPerBlock) =>
        rows <= MostRows && SharedBytes(rows, inner, MostSets, input) <= sharedMemoryPerBlock;

    /// <summary>Values of the type that an element of the input is multiplied as where its token was drawn: NormedParts of kernels/common/row_norm.cuh.</summary>
    public static int Parts(DataType type, GemvInput input) => type == DataType.BFloat16 && input == GemvInput.RmsInput ? 2 : 1;

    /// <summary>
    /// Sets of 16 rows of W that a block takes at a time, 1 or 2. Two read x half as often, and are worth it where the busiest
    /// multiprocessor gets at most a thirty-second more rows for it and still two blocks.
    /// </summary>
    public static int Sets(int outputs, int multiprocessors)
    {
        var (of1, of2) = (Busiest(1), Busiest(2));
        return of2 >= 2 && ((of2 * 2) - of1) * 32 <= of1 ? 2 : 1;

        int Busiest(int sets) => Up(Up(outputs, sets * TileRows), multiprocessors);
    }

    /// <summary>An instance without a gate.</summary>
    public static KernelInstance Instance(DataType type, int sets, GemvInput input, GemvOutput output) =>
        Instance(type, sets, input, $"weft::{output}");

    /// <summary>An instance that multiplies activation(gate) with up.</summary>
    public static KernelInstance Gated(DataType type, GemvInput input, Activation activation) =>
        Instance(type, GateSets, input, $"weft::Gate<{activation.CudaName()}>");

    /// <summary>A launch over <paramref name="outputs"/> results a row, <paramref name="sets"/> · 16 of them a block.</summary>
    public static LaunchShape Shape(int rows, int outputs, int inner, int sets, GemvInput input, int multiprocessors) =>
        Shape(Up(outputs, sets * TileRows), SharedBytes(rows, inner, sets, input), input, multiprocessors);

    /// <summary>As <see cref="Shape(int, int, int, int, GemvInput, int)"/>, of a gated instance.</summary>
    public static LaunchShape GatedShape(int rows, int outputs, int inner, GemvInput input, int multiprocessors) =>
        Shape(Up(outputs, TileRows), SharedBytes(rows, inner, GateSets, input), input, multiprocessors);

    /// <summary>What LLaMA-like models ask for.</summary>
    public static IEnumerable<KernelInstance> Instances =>
        from type in ElementType.Halves
        from input in (GemvInput[])[GemvInput.RmsInput, GemvInput.PlainInput]
        from instance in (IEnumerable<KernelInstance>)
        [
            .. from sets in (int[])[1, MostSets]
               from output in Enum.GetValues<GemvOutput>()
               select Instance(type, sets, input, output),
            Gated(type, input, Activation.Silu),
            Gated(type, input, Activation.GeluTanh),
        ]
        select instance;

    private static KernelInstance Instance(DataType type, int sets, GemvInput input, string output) =>
        new("gemv.cu", $"weft::gemv<{type.CudaName()},{sets},weft::{input},{output}>");

    // A block that norms x does so once and takes several tiles; otherwise whichever multiprocessor is free takes the next one.
    private static LaunchShape Shape(int tiles, int sharedBytes, GemvInput input, int multiprocessors) =>
        new(input == GemvInput.RmsInput ? Math.Min(tiles, BlocksEach * multiprocessors) : tiles, 1, 1, Threads, sharedBytes);

    // Every warp's sums of a tile, and the normed rows in up to two parts, an odd number of chunks apart.
    private static int SharedBytes(int rows, int inner, int sets, GemvInput input) =>
        (Warps * sets * TileRows * MostRows * sizeof(float)) + (input == GemvInput.RmsInput ? 2 * rows * (Up(inner, Chunk) | 1) * Chunk * sizeof(ushort) : 0);

    private static int Up(int value, int unit) => (value + unit - 1) / unit;
}
