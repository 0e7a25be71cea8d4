using Weft.Backends.Cuda.Kernels;
using Weft.Graph;

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
    : ProductOperation(context, node, norm, bias)
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

            if (Norm is not null)
                yield return Norm.Kernel;
            if (Node.Gate is { } gate)
                yield return ActivationKernel.Gated(Context.Type, gate);
        }
    }

    // Gate and up that are one matrix meet in the product; two of them meet in a launch of their own.
    private bool IsGateFused => Node.Gate is not null && matrices.Count == 1;

    public override void Run(in StepShape shape)
    {
        var rows = CudaProgramContext.Rows(shape, Node.Y);
        if (rows == 0)
            return;
        Norm?.Run(rows);
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

        if (Node.Gate is { } gate && !(isFew && IsGateFused))
            Gate(rows, gate, matrices.Sum(matrix => matrix.Rows) / 2);
    }

    private KernelInstance Gemv(DeviceQuantizedMatrix matrix) => IsGateFused
        ? QuantizedGemvKernel.Gated(Context.Type, matrix.Bits, Node.Gate!.Value)
        : QuantizedGemvKernel.Instance(Context.Type, matrix.Bits, Output);

    private void RunFew(DeviceQuantizedMatrix matrix, int rows, int first)
    {
        var x = Context.Address(Node.X);
        if (matrix.Weight.Order != 0)
        {
            Context.Launch(DequantizeKernel.OrderColumns(Context.Type), DequantizeKernel.OrderShape(rows), new OrderColumnsParams
            {
                X = x,
                Order = matrix.Weight.Order,
                Y = workspace.Ordered,
                Columns = width,
                XStride = ValueLayout.Stride(Node.X),
                YStride = ValueLayout.Stride(Node.X),
            });
            x = workspace.Ordered;
        }

        var outputs = IsGateFused ? matrix.Rows / 2 : matrix.Rows;
        Context.Launch(Gemv(matrix), QuantizedGemvKernel.Shape(outputs, IsGateFused), new QuantizedGemvParams
        {
            X = x,
            Weight = matrix.Weight,
            Bias = Bias.Float32 == 0 ? 0 : Bias.Float32 + ((nuint)first * sizeof(float)),
            Y = ResultAddress(first),
            Rows = rows,
            Outputs = outputs,
            Inner = width,
            UpBlock = outputs / Weights.QuantizedLayout.TileRows,
            XStride = ValueLayout.Stride(Node.X),
            YStride = ValueLayout.Stride(Node.Y),
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
        Multiply(rows, new(workspace.Numbers, matrix.Rows, width, stride), first);
    }
}
