using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Interop;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary>Memory that quantized products of all layers share, one after another.</summary>
/// <param name="Numbers">The largest matrix as numbers.</param>
/// <param name="Ordered">The largest input with its columns in another order.</param>
internal readonly record struct QuantizedWorkspace(nuint Numbers, nuint Ordered);

/// <summary>
/// <see cref="FusedLinearNode"/> with quantized weights, after the norm in front of it: for few rows our own product, which reads every code once;
/// for many, the matrix becomes numbers in a workspace and cuBLAS multiplies. Matrices with one order of columns are one launch.
/// </summary>
internal sealed class QuantizedLinearOperation(
    CudaProgramContext context, FusedLinearNode node, InputNorm? norm, IReadOnlyList<DeviceQuantizedMatrix> matrices, DeviceBias bias, QuantizedWorkspace workspace)
    : CudaOperation(context)
{
    private readonly int width = matrices[0].Columns;

    public override IEnumerable<KernelInstance> Kernels
    {
        get
        {
            foreach (var matrix in matrices)
            {
                yield return DequantizeKernel.Instance(Context.Type, matrix.Bits);
                yield return Gemv(matrix);
                if (matrix.Weight.Order != 0)
                    yield return DequantizeKernel.OrderColumns(Context.Type);
            }

            if (norm is not null)
                yield return norm.Kernel;
            if (node.Gate is { } gate)
                yield return ActivationKernel.Gated(Context.Type, gate);
        }
    }

    // Gate and up that are one matrix meet in the product; two of them meet in a launch of their own.
    private bool IsGateFused => node.Gate is not null && matrices.Count == 1;

    private DataType OutputType => Context.Layout.TypeOf(node.Y);

    private GemvOutput Output => node.Accumulate ? GemvOutput.Accumulate : OutputType == DataType.Float32 ? GemvOutput.StoreFloat : GemvOutput.StoreHalf;

    public override void Run(in StepShape shape)
    {
        var rows = CudaProgramContext.Rows(shape, node.Y);
        if (rows == 0)
            return;
        norm?.Run(rows);
        var isFew = rows <= QuantizedGemvKernel.MostRows;
        var first = 0;
        foreach (var matrix in matrices)
        {
            if (isFew)
                RunFew(matrix, rows, first);
            else
                RunMany(matrix, rows, first);
            first += matrix.Rows;
        }

        if (node.Gate is { } gate && !(isFew && IsGateFused))
            Gate(rows, gate);
    }

    private KernelInstance Gemv(DeviceQuantizedMatrix matrix) => IsGateFused
        ? QuantizedGemvKernel.Gated(Context.Type, matrix.Bits, node.Gate!.Value)
        : QuantizedGemvKernel.Instance(Context.Type, matrix.Bits, Output);

    private void RunFew(DeviceQuantizedMatrix matrix, int rows, int first)
    {
        var x = Context.Address(node.X);
        if (matrix.Weight.Order != 0)
        {
            Context.Launch(DequantizeKernel.OrderColumns(Context.Type), DequantizeKernel.OrderShape(rows), new OrderColumnsParams
            {
                X = x,
                Order = matrix.Weight.Order,
                Y = workspace.Ordered,
                Columns = width,
                XStride = ValueLayout.Stride(node.X),
                YStride = ValueLayout.Stride(node.X),
            });
            x = workspace.Ordered;
        }

        var outputs = IsGateFused ? matrix.Rows / 2 : matrix.Rows;
        Context.Launch(Gemv(matrix), QuantizedGemvKernel.Shape(outputs, IsGateFused), new QuantizedGemvParams
        {
            X = x,
            Weight = matrix.Weight,
            Bias = bias.Float32 == 0 ? 0 : bias.Float32 + ((nuint)first * sizeof(float)),
            Y = Context.Address(node.Y) + ((nuint)first * (nuint)OutputType.Size()),
            Rows = rows,
            Outputs = outputs,
            Inner = width,
            UpBlock = outputs / Weights.QuantizedLayout.TileRows,
            XStride = ValueLayout.Stride(node.X),
            YStride = ValueLayout.Stride(node.Y),
        });
    }

    private void RunMany(DeviceQuantizedMatrix matrix, int rows, int first)
    {
        var stride = ValueLayout.Stride(width);
        Context.Launch(DequantizeKernel.Instance(Context.Type, matrix.Bits), DequantizeKernel.Shape(matrix.Weight.Tiles, matrix.RowBlocks), new DequantizeParams
        {
            Weight = matrix.Weight,
            Y = workspace.Numbers,
            Rows = matrix.Rows,
            Columns = width,
            Stride = stride,
        });
        var shape = new ProductShape(
            rows,
            matrix.Rows,
            width,
            ValueLayout.Stride(node.X),
            stride,
            ValueLayout.Stride(node.Y),
            Context.Type.Matrix(),
            OutputType.Matrix(),
            HasBias: bias != default,
            BiasType: OutputType.Matrix(),
            Accumulate: node.Accumulate);
        var (biases, element) = OutputType == DataType.Float32 ? (bias.Float32, sizeof(float)) : (bias.Half, sizeof(ushort));
        var biasAddress = biases == 0 ? 0 : biases + (nuint)(first * element);
        var y = Context.Address(node.Y) + ((nuint)first * (nuint)OutputType.Size());
        Context.Blas.Multiply(Context.Stream, shape, new(Context.Address(node.X), workspace.Numbers, y, biasAddress));
    }

    private void Gate(int rows, Activation gate)
    {
        var outputs = matrices.Sum(matrix => matrix.Rows) / 2;
        Context.Launch(ActivationKernel.Gated(Context.Type, gate), ActivationKernel.Shape(rows, outputs), new ActivationParams
        {
            X = Context.Address(node.Y),
            Y = Context.Address(node.Y),
            Rows = rows,
            Width = outputs,
            XStride = ValueLayout.Stride(node.Y),
            YStride = ValueLayout.Stride(node.Y),
        });
    }
}
