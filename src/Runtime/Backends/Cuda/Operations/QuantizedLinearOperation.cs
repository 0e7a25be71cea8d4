using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary>
/// <see cref="FusedLinearNode"/> with quantized weights, after the norm in front of it: for few rows and for some our own products, which read every code
/// once, however many where the batch must not matter; else for many, the matrix becomes numbers in a workspace and cuBLAS multiplies. Matrices
/// with one order of columns are one launch.
/// </summary>
internal sealed class QuantizedLinearOperation(
    CudaProgramContext context, FusedLinearNode node, InputNorm? norm, IReadOnlyList<DeviceQuantizedMatrix> matrices, DeviceBias bias, ProductWorkspace workspace)
    : ProductOperation(context, node, norm, bias, workspace)
{
    private readonly int width = matrices[0].Columns;

    public override IEnumerable<KernelInstance> Kernels
    {
        get
        {
            foreach (var matrix in matrices)
            {
                if (!Context.IsBatchInvariant)
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
            if (Node.Epilogue is { } activation)
                yield return ActivationKernel.Plain(OutputType, activation);
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
        var isOwn = Context.IsBatchInvariant || rows <= QuantizedGemvKernel.MostRows || (rows <= QuantizedGemmKernel.MostRows && QuantizedGemmKernel.Fits(width));
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
        Activate(rows);
    }

    private int Capability => Context.IsBatchInvariant ? QuantizedGemmKernel.InvariantCapability : Context.Device.ComputeCapability;

    private KernelInstance Gemv(DeviceQuantizedMatrix matrix) => IsGateFused
        ? QuantizedGemvKernel.Gated(Context.Type, matrix.Bits, Node.Gate!.Value)
        : QuantizedGemvKernel.Instance(Context.Type, matrix.Bits, Output);

    private KernelInstance Gemm(DeviceQuantizedMatrix matrix, int rows) => IsGateFused
        ? QuantizedGemmKernel.Gated(Context.Type, matrix.Bits, rows, Node.Gate!.Value, Capability)
        : QuantizedGemmKernel.Instance(Context.Type, matrix.Bits, rows, Output, Capability);

    private void RunOwn(DeviceQuantizedMatrix matrix, int rows, int first)
    {
        var x = Context.Address(Node.X);
        if (matrix.Weight.Order != 0)
        {
            Context.Launch(DequantizeKernel.OrderColumns(Context.Type), DequantizeKernel.OrderShape(rows), new OrderColumnsParams
            {
                X = x,
                Order = matrix.Weight.Order,
                Y = Workspace.Input,
                Columns = width,
                XStride = ValueLayout.Stride(Node.X),
                YStride = ValueLayout.Stride(Node.X),
            });
            x = Workspace.Input;
        }

        var outputs = IsGateFused ? matrix.Rows / 2 : matrix.Rows;
        var bias = Bias.Float32 == 0 ? 0 : Bias.Float32 + ((nuint)first * sizeof(float));
        if (rows <= QuantizedGemvKernel.MostRows || !QuantizedGemmKernel.Fits(width))
        {
            for (var row = 0; row < rows; row += QuantizedGemvKernel.MostRows)
            {
                Context.Launch(Gemv(matrix), QuantizedGemvKernel.Shape(outputs, IsGateFused), new QuantizedGemvParams
                {
                    X = x + ((nuint)row * (nuint)ValueLayout.Stride(Node.X) * sizeof(ushort)),
                    Weight = matrix.Weight,
                    Bias = bias,
                    Y = ResultAddress(first) + ((nuint)row * (nuint)(ValueLayout.Stride(Node.Y) * OutputType.Size())),
                    Rows = Math.Min(QuantizedGemvKernel.MostRows, rows - row),
                    Outputs = outputs,
                    Inner = width,
                    UpBlock = outputs / Weights.QuantizedLayout.TileRows,
                    XStride = ValueLayout.Stride(Node.X),
                    YStride = ValueLayout.Stride(Node.Y),
                });
            }

            return;
        }

        var shape = QuantizedGemmKernel.Shape(
            rows, outputs, width, matrix.Bits, IsGateFused, Context.Device.Multiprocessors, Capability);
        Context.Launch(Gemm(matrix, rows), shape, new QuantizedGemmParams
        {
            X = x,
            Weight = matrix.Weight,
            Bias = bias,
            Y = ResultAddress(first),
            Partial = Workspace.Numbers,
            Counters = Workspace.Counters,
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
            Y = Workspace.Numbers,
            Rows = matrix.Rows,
            Columns = width,
            Stride = stride,
        });
        Multiply(rows, new(Workspace.Numbers, matrix.Rows, width, stride), first);
    }
}
