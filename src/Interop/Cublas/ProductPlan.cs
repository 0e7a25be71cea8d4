using Weft.Interop.Cublas;

namespace Weft.Interop;

/// <summary>
/// cuBLASLt's descriptors and chosen algorithm for one <see cref="ProductShape"/>. cuBLASLt stores column-major, where our y[N, M] is a matrix
/// [M, N] and W[M, K] a matrix [K, M] to be transposed: y = Wᵀ · x.
/// </summary>
internal sealed unsafe class ProductPlan : IDisposable
{
    private const int ComputeFloat32 = 68;
    private const int TransposeA = 3;
    private const int Epilogue = 7;
    private const int BiasPointer = 8;
    private const int AScalePointer = 17;
    private const int BScalePointer = 18;
    private const int BiasDataType = 26;
    private const int LayoutBatchCount = 5;
    private const int LayoutBatchStride = 6;
    private const int PreferenceWorkspaceBytes = 1;
    private const int EpilogueBias = 4;

    private readonly nint descriptor;
    private readonly nint a;
    private readonly nint b;
    private readonly nint d;
    private readonly bool accumulate;
    private readonly bool hasBias;
    private HeuristicResult choice;

    public ProductPlan(nint handle, in ProductShape shape, CudaDeviceMemory workspace)
    {
        accumulate = shape.Accumulate;
        hasBias = shape.HasBias;
        try
        {
            CublasException.Check(CublasLtApi.cublasLtMatmulDescCreate(out descriptor, ComputeFloat32, (int)MatrixType.Float32));
            Set(TransposeA, 1);
            Set(Epilogue, EpilogueOf(shape));
            if (shape.HasBias)
            {
                Set(BiasDataType, (int)shape.BiasType);
                // Algorithms are chosen for a bias that is there; which one comes with the operands.
                SetPointer(BiasPointer, workspace.Address);
            }

            a = Layout(shape.InputType, shape.K, shape.M, shape.WStride, shape.Batches, shape.WBatchStride);
            b = Layout(shape.InputType, shape.K, shape.N, shape.XStride, shape.Batches, shape.XBatchStride);
            d = Layout(shape.OutputType, shape.M, shape.N, shape.YStride, shape.Batches, shape.YBatchStride);
            Choose(handle, shape, workspace.Bytes);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Run(nint handle, in ProductOperands operands, CudaDeviceMemory workspace, CudaStream stream)
    {
        if (hasBias)
            SetPointer(BiasPointer, operands.Bias);
        if (operands.WScale != 0)
            SetPointer(AScalePointer, operands.WScale);
        if (operands.XScale != 0)
            SetPointer(BScalePointer, operands.XScale);
        var alpha = 1f;
        var beta = accumulate ? 1f : 0f;
        fixed (HeuristicResult* algorithm = &choice)
        {
            CublasException.Check(CublasLtApi.cublasLtMatmul(
                handle, descriptor, &alpha, operands.W, a, operands.X, b, &beta, operands.Y, d, operands.Y, d, algorithm, workspace.Address, (nuint)workspace.Bytes, stream.Handle), "cublasLtMatmul");
        }
    }

    public void Dispose()
    {
        if (d != 0)
            _ = CublasLtApi.cublasLtMatrixLayoutDestroy(d);
        if (b != 0)
            _ = CublasLtApi.cublasLtMatrixLayoutDestroy(b);
        if (a != 0)
            _ = CublasLtApi.cublasLtMatrixLayoutDestroy(a);
        if (descriptor != 0)
            _ = CublasLtApi.cublasLtMatmulDescDestroy(descriptor);
    }

    private static int EpilogueOf(in ProductShape shape) =>
        !shape.HasBias ? (int)shape.Activation : shape.Activation == ProductActivation.None ? EpilogueBias : (int)shape.Activation | EpilogueBias;

    private static nint Layout(MatrixType type, int rows, int columns, int stride, int batches, long batchStride)
    {
        CublasException.Check(CublasLtApi.cublasLtMatrixLayoutCreate(out var layout, (int)type, (ulong)rows, (ulong)columns, stride));
        if (batches > 1)
        {
            CublasException.Check(CublasLtApi.cublasLtMatrixLayoutSetAttribute(layout, LayoutBatchCount, &batches, sizeof(int)));
            CublasException.Check(CublasLtApi.cublasLtMatrixLayoutSetAttribute(layout, LayoutBatchStride, &batchStride, sizeof(long)));
        }

        return layout;
    }

    private void Choose(nint handle, in ProductShape shape, long workspaceBytes)
    {
        CublasException.Check(CublasLtApi.cublasLtMatmulPreferenceCreate(out var preference));
        try
        {
            CublasException.Check(CublasLtApi.cublasLtMatmulPreferenceSetAttribute(preference, PreferenceWorkspaceBytes, &workspaceBytes, sizeof(long)));
            fixed (HeuristicResult* result = &choice)
            {
                CublasException.Check(
                    CublasLtApi.cublasLtMatmulAlgoGetHeuristic(handle, descriptor, a, b, d, d, preference, 1, result, out var found),
                    $"cublasLtMatmulAlgoGetHeuristic({shape})");
                if (found == 0)
                    CublasException.Check(CublasStatus.NotSupported, $"cublasLtMatmulAlgoGetHeuristic({shape})");
            }
        }
        finally
        {
            _ = CublasLtApi.cublasLtMatmulPreferenceDestroy(preference);
        }
    }

    private void Set(int attribute, int value) =>
        CublasException.Check(CublasLtApi.cublasLtMatmulDescSetAttribute(descriptor, attribute, &value, sizeof(int)));

    private void SetPointer(int attribute, nuint value) =>
        CublasException.Check(CublasLtApi.cublasLtMatmulDescSetAttribute(descriptor, attribute, &value, (nuint)sizeof(nuint)));
}
