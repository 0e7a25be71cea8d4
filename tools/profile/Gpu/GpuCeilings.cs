using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Profile.Workloads;
using Weft.Tensors;

namespace Weft.Profile.Gpu;

/// <summary>What the device does at best: a large copy, and a large bf16 product of random numbers through cuBLAS.</summary>
internal sealed class GpuCeilings : IDisposable
{
    private const int Repeats = 15;

    private readonly CudaContext context = CudaContext.Create(0);
    private readonly CudaStream stream;
    private readonly CudaBlas blas;
    private readonly KernelTimer timer;

    public GpuCeilings()
    {
        stream = CudaStream.Create(context);
        blas = new CudaBlas(context);
        timer = new KernelTimer(context, stream);
    }

    /// <summary>Measures both; on the software device at sizes that only show that everything works.</summary>
    public Ceilings Measure()
    {
        var isTrial = CudaLibraries.Selected == CudaPlatform.Simulator;
        using var operands = new Operands(context, stream, isTrial ? 32L << 20 : 1L << 30);
        return Measure(context, timer, stream, blas, operands, isTrial);
    }

    /// <summary>Measures with what a longer run has already.</summary>
    public static Ceilings Measure(CudaContext context, KernelTimer timer, CudaStream stream, CudaBlas blas, Operands operands, bool isTrial)
    {
        var bytes = isTrial ? 1L << 20 : 1L << 30;
        using var memory = CudaDeviceMemory.Allocate(context, 2 * bytes);
        var copy = timer.Measure(_ => memory.CopyFromAsync(memory, 0, bytes, bytes, stream), Repeats);
        var n = isTrial ? 64 : 8192;
        var y = operands.Zeros((long)n * n * 2);
        var shape = new ProductShape(n, n, n, n, n, n, MatrixType.BFloat16, MatrixType.BFloat16);
        var product = timer.Measure(
            turn => blas.Multiply(stream, shape, new(operands.Random((long)n * n * 2, turn), operands.Random((long)n * n * 2, turn + 1), y)), Repeats);
        using var kernels = KernelLibrary.Create(context);
        var fill = kernels.Get(CopyKernels.Fill(DataType.Float32));
        var empty = timer.Measure(_ => fill.Launch(stream, CopyKernels.FillShape(1), new FillParams { Y = y, Count = 1 }), Repeats);
        operands.Release();
        return new(2.0 * bytes / copy.Median * 1e6, 2.0 * n * n * n / product.Median * 1e6, empty.Median);
    }

    public void Dispose()
    {
        timer.Dispose();
        blas.Dispose();
        stream.Dispose();
        context.Dispose();
    }
}
