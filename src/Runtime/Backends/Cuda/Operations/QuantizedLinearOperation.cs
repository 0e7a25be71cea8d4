using Weft.Backends.Cuda.Kernels;
using Weft.Graph;

namespace Weft.Backends.Cuda.Operations;

/// <summary>Memory that quantized products of all layers share, one after another.</summary>
/// <param name="Numbers">The largest matrix as numbers, or the parts of a product whose inner dimension is split.</param>
/// <param name="Ordered">The largest input with its columns in another order.</param>
/// <param name="Counters">Zeros that splits count themselves with, and leave as zeros.</param>
internal readonly record struct QuantizedWorkspace(nuint Numbers, nuint Ordered, nuint Counters);

/// <summary>
/// <see cref="FusedLinearNode"/> with quantized weights, after the norm in front of it: for few rows and for some our own products, which read every code
/// once; for many, the matrix becomes numbers in a workspace and cuBLAS multiplies. Matrices with one order of columns are one launch.
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
                foreach (var rows in (int[])[16, 32, 64])
                    yield return Gemm(matrix, rows);
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
        var isOwn = rows <= QuantizedGemvKernel.MostRows || QuantizedGemmKernel.Fits(rows, width);
        var first = 0;
        foreach (var matrix in matrices)
        {
            if (isOwn)
                RunOwn(matrix, rows, first);
            else
                RunMany(matrix, rows, first);
            first += matrix.Rows;
        }

        if (Node.Gate is { } gate && !(isOwn && IsGateFused))
            Gate(rows, gate, matrices.Sum(matrix => matrix.Rows) / 2);
    }

    private KernelInstance Gemv(DeviceQuantizedMatrix matrix) => IsGateFused
        ? QuantizedGemvKernel.Gated(Context.Type, matrix.Bits, Node.Gate!.Value)
        : QuantizedGemvKernel.Instance(Context.Type, matrix.Bits, Output);

    private KernelInstance Gemm(DeviceQuantizedMatrix matrix, int rows) => IsGateFused
        ? QuantizedGemmKernel.Gated(Context.Type, matrix.Bits, rows, Node.Gate!.Value, Context.Device.ComputeCapability)
        : QuantizedGemmKernel.Instance(Context.Type, matrix.Bits, rows, Output, Context.Device.ComputeCapability);

    private void RunOwn(DeviceQuantizedMatrix matrix, int rows, int first)
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
        var bias = Bias.Float32 == 0 ? 0 : Bias.Float32 + ((nuint)first * sizeof(float));
        if (rows <= QuantizedGemvKernel.MostRows)
        {
            Context.Launch(Gemv(matrix), QuantizedGemvKernel.Shape(outputs, IsGateFused), new QuantizedGemvParams
            {
                X = x,
                Weight = matrix.Weight,
                Bias = bias,
                Y = ResultAddress(first),
                Rows = rows,
                Outputs = outputs,
                Inner = width,
                UpBlock = outputs / Weights.QuantizedLayout.TileRows,
                XStride = ValueLayout.Stride(Node.X),
                YStride = ValueLayout.Stride(Node.Y),
            });
            return;
        }

        var shape = QuantizedGemmKernel.Shape(
            rows, outputs, width, matrix.Bits, IsGateFused, Context.Device.Multiprocessors, Context.Device.ComputeCapability);
        Context.Launch(Gemm(matrix, rows), shape, new QuantizedGemmParams
        {
            X = x,
            Weight = matrix.Weight,
            Bias = bias,
            Y = ResultAddress(first),
            Partial = workspace.Numbers,
            Counters = workspace.Counters,
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
