using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Interop;
using Weft.Tensors;

namespace Weft.Backends.Cuda.Operations;

/// <summary>
/// <see cref="FusedLinearNode"/> with quantized weights, after the norm in front of it: our own products, which read every code once, or, where the batch
/// may matter and that was measured to be faster, cuBLAS after the matrix has become numbers in a workspace. Matrices with one order of columns are one launch.
/// </summary>
internal sealed class QuantizedLinearOperation(
    CudaProgramContext context, FusedLinearNode node, InputNorm? norm, IReadOnlyList<DeviceQuantizedMatrix> matrices, DeviceBias bias, ProductWorkspace workspace)
    : ProductOperation(context, node, norm, bias, workspace)
{
    private readonly int width = matrices[0].Columns;

    /// <summary>What products have in common that take the same time.</summary>
    public string Kind { get; } = string.Join(" + ", matrices.Select(matrix =>
        $"{matrix.Rows}×{matrix.Columns} int{matrix.Codes.Bits}, groups of {matrix.Weight.GroupSize}{(matrix.Weight.ZeroPoints != 0 ? $", {(matrix.Codes.Fractional ? "fractional " : "")}zero points" : "")}{(matrix.Weight.Order != 0 ? ", permuted" : "")}"))
        + (node.Gate is null ? node.Accumulate ? ", added" : "" : ", gated");

    /// <summary>y.</summary>
    public Value Result => Node.Y;

    /// <summary>Chosen for this product; those of <see cref="ProductTimer"/> where the batch may matter.</summary>
    public ProductWays Ways { get; set; } = ProductWays.Invariant;

    public override IEnumerable<KernelInstance> Kernels
    {
        get
        {
            foreach (var matrix in matrices)
            {
                if (!Context.IsBatchInvariant)
                    yield return DequantizeKernel.Instance(Context.Type, matrix.Codes);
                yield return Gemv(matrix);
                foreach (var way in Context.IsBatchInvariant ? [ProductWay.Warp] : WaysOf(Context.Device).Where(way => way != ProductWay.Numbers))
                {
                    foreach (var rows in (int[])[16, 32, 64])
                        yield return Gemm(matrix, rows, way);
                }

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

    /// <summary>Ways that a device has.</summary>
    public static IReadOnlyList<ProductWay> WaysOf(CudaDeviceInfo device) => QuantizedGemmKernel.HasWarpgroups(device.ComputeCapability)
        ? [ProductWay.Warp, ProductWay.Warpgroup, ProductWay.Numbers]
        : [ProductWay.Warp, ProductWay.Numbers];

    public override void Run(in StepShape shape)
    {
        var rows = CudaProgramContext.Rows(shape, Node.Y);
        if (rows == 0)
            return;
        Norm?.Run(rows);
        Multiply(rows, Ways.At(rows));
        Activate(rows);
    }

    /// <summary>Submits the products of <paramref name="rows"/> rows and what joins their halves.</summary>
    public void Multiply(int rows, ProductWay way)
    {
        var first = 0;
        foreach (var matrix in matrices)
        {
            if (way == ProductWay.Numbers)
                RunNumbers(matrix, rows, first);
            else
                RunCodes(matrix, rows, first, way);
            first += matrix.Rows;
        }

        if (Node.Gate is { } gate && (way == ProductWay.Numbers || !IsGateFused))
            Gate(rows, gate, matrices.Sum(matrix => matrix.Rows) / 2);
    }

    // Gate and up that are one matrix meet in the product; two of them meet in a launch of their own.
    private bool IsGateFused => Node.Gate is not null && matrices.Count == 1;

    private int Capability(ProductWay way) => way == ProductWay.Warpgroup ? Context.Device.ComputeCapability : QuantizedGemmKernel.InvariantCapability;

    private KernelInstance Gemv(DeviceQuantizedMatrix matrix) => IsGateFused
        ? QuantizedGemvKernel.Gated(Context.Type, matrix.Codes, Node.Gate!.Value)
        : QuantizedGemvKernel.Instance(Context.Type, matrix.Codes, Output);

    private KernelInstance Gemm(DeviceQuantizedMatrix matrix, int rows, ProductWay way) => IsGateFused
        ? QuantizedGemmKernel.Gated(Context.Type, matrix.Codes, rows, Node.Gate!.Value, Capability(way))
        : QuantizedGemmKernel.Instance(Context.Type, matrix.Codes, rows, Output, Capability(way));

    private void RunCodes(DeviceQuantizedMatrix matrix, int rows, int first, ProductWay way)
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

        var shape = QuantizedGemmKernel.Shape(rows, outputs, width, matrix.Codes.Bits, IsGateFused, Context.Device.Multiprocessors);
        Context.Launch(Gemm(matrix, rows, way), shape, new QuantizedGemmParams
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

    private void RunNumbers(DeviceQuantizedMatrix matrix, int rows, int first)
    {
        var stride = ValueLayout.Stride(width);
        Context.Launch(DequantizeKernel.Instance(Context.Type, matrix.Codes), DequantizeKernel.Shape(matrix.Weight.Tiles, matrix.RowBlocks), new DequantizeParams
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
