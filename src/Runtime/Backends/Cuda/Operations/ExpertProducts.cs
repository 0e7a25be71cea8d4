using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary>A step's assignments, where <see cref="ExpertScratch.Routing"/> lies.</summary>
/// <param name="Chosen">[N, active] experts; the other parts follow.</param>
/// <param name="Assignments">How many.</param>
/// <param name="Columns">Most assignments of a tile.</param>
/// <param name="Tiles">Tiles there can be.</param>
internal readonly record struct ExpertTiles(nuint Chosen, int Assignments, int Columns, int Tiles)
{
    /// <summary>[N, active] what the chosen experts weigh.</summary>
    public nuint Weights => At(1);

    /// <summary>[assignments] the token of each, sorted by expert.</summary>
    public nuint Sources => At(2);

    /// <summary>[N, active] where each went.</summary>
    public nuint Places => At(3);

    /// <summary>[tiles].</summary>
    public nuint List => At(4);

    private nuint At(int part) => Chosen + ((nuint)part * (nuint)Assignments * sizeof(int));
}

/// <summary>Rows that a product reads or writes.</summary>
internal readonly record struct ExpertOperand(nuint Address, int Stride);

/// <summary>A product of tiles of assignments with their experts' matrices: gate and up, which read tokens, or down, which reads assignments.</summary>
internal abstract class ExpertProduct(CudaProgramContext context, ExpertsNode node, bool isInner)
{
    /// <summary>Kernels that steps may need.</summary>
    public abstract IEnumerable<KernelInstance> Kernels { get; }

    /// <summary>Most assignments of a tile that it takes.</summary>
    public abstract int MostColumns { get; }

    protected CudaProgramContext Context => context;

    protected FeedForwardDescription Block => node.FeedForward;

    protected int Experts => Block.Experts!.Count;

    protected bool IsGated => isInner && !Block.Plain;

    protected GemvOutput Output => isInner ? GemvOutput.StoreHalf : GemvOutput.StoreFloat;

    /// <summary>Of an expert; of gate alone when gated.</summary>
    protected int Outputs => isInner ? Block.IntermediateSize : node.Y.Width;

    /// <summary>Submits the product.</summary>
    public abstract void Run(in ExpertTiles tiles, ExpertOperand x, ExpertOperand y);

    protected ExpertParams<TProduct> With<TProduct>(in TProduct product, in ExpertTiles tiles)
        where TProduct : unmanaged => new()
        {
            Product = product,
            Tiles = tiles.List,
            Sources = isInner ? tiles.Sources : 0,
            Experts = Experts,
            Limit = Block.Limit ?? 0,
        };
}

/// <summary>Of 16-bit matrices: gemv where experts have few assignments, else gemm.</summary>
internal sealed class DenseExpertProduct(CudaProgramContext context, ExpertsNode node, bool isInner, DeviceMatrix weight, DeviceBias bias) : ExpertProduct(context, node, isInner)
{
    public override IEnumerable<KernelInstance> Kernels => GemmKernel.Widths.Select(Gemm).Prepend(Gemv);

    public override int MostColumns => GemmKernel.Widths[^1];

    private int Sets => GemvKernel.Sets(Outputs, Context.Device.Multiprocessors);

    private KernelInstance Gemv => IsGated ? ExpertProductKernel.GatedGemv(Context.Type, Block) : ExpertProductKernel.Gemv(Context.Type, Sets, Output);

    public override void Run(in ExpertTiles tiles, ExpertOperand x, ExpertOperand y)
    {
        if (tiles.Columns > GemvKernel.MostRows)
        {
            Context.Launch(Gemm(tiles.Columns), ExpertProductKernel.GemmShape(tiles.Tiles, tiles.Columns, Outputs, IsGated), With(
                new GemmParams
                {
                    X = x.Address,
                    Weight = weight.Address,
                    Bias = bias.Float32,
                    Y = y.Address,
                    Outputs = Outputs,
                    Inner = weight.Columns,
                    XStride = x.Stride,
                    WStride = weight.Stride,
                    YStride = y.Stride,
                },
                tiles));
            return;
        }

        var shape = IsGated
            ? ExpertProductKernel.GatedGemvShape(tiles.Tiles, Outputs, weight.Columns)
            : ExpertProductKernel.GemvShape(tiles.Tiles, Outputs, weight.Columns, Sets);
        Context.Launch(Gemv, shape, With(
            new GemvParams
            {
                X = x.Address,
                Weight = weight.Address,
                Bias = bias.Float32,
                Y = y.Address,
                Outputs = Outputs,
                Inner = weight.Columns,
                XStride = x.Stride,
                WStride = weight.Stride,
                YStride = y.Stride,
            },
            tiles));
    }

    private KernelInstance Gemm(int columns) =>
        IsGated ? ExpertProductKernel.GatedGemm(Context.Type, columns, Block) : ExpertProductKernel.Gemm(Context.Type, columns, Output);
}

/// <summary>Of quantized matrices, whose codes become numbers in registers: quantized_gemv, however many assignments there are.</summary>
internal sealed class QuantizedExpertProduct(CudaProgramContext context, ExpertsNode node, bool isInner, DeviceQuantizedMatrix matrix, DeviceBias bias)
    : ExpertProduct(context, node, isInner)
{
    public override IEnumerable<KernelInstance> Kernels => [Instance];

    public override int MostColumns => QuantizedGemvKernel.MostRows;

    private KernelInstance Instance => IsGated ? ExpertProductKernel.GatedQuantized(Context.Type, matrix.Codes, Block) : ExpertProductKernel.Quantized(Context.Type, matrix.Codes, Output);

    public override void Run(in ExpertTiles tiles, ExpertOperand x, ExpertOperand y) => Context.Launch(
        Instance, QuantizedGemvKernel.Shape(Outputs, IsGated) with { GridY = tiles.Tiles }, With(
            new QuantizedGemvParams
            {
                X = x.Address,
                Weight = matrix.Weight,
                Bias = bias.Float32,
                Y = y.Address,
                Outputs = Outputs,
                Inner = matrix.Columns,
                UpBlock = Experts * (Outputs / Weights.QuantizedLayout.TileRows),
                XStride = x.Stride,
                YStride = y.Stride,
            },
            tiles));
}
