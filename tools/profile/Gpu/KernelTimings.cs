using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Profile.Workloads;

namespace Weft.Profile.Gpu;

/// <summary>Kernels at the shapes of real models, beside cuBLAS, and the copy and matrix ceilings that they are held to.</summary>
internal sealed class KernelTimings : IDisposable
{
    private const int Repeats = 15;

    private readonly CudaContext context;
    private readonly CudaStream stream;
    private readonly KernelLibrary kernels;
    private readonly CudaBlas blas;
    private readonly KernelTimer timer;
    private readonly Operands operands;
    private readonly List<GpuRow> rows = [];
    private readonly bool isTrial;
    private Ceilings ceilings;

    public KernelTimings(CudaContext context, bool isTrial)
    {
        this.context = context;
        this.isTrial = isTrial;
        stream = CudaStream.Create(context);
        kernels = KernelLibrary.Create(context);
        blas = new CudaBlas(context);
        timer = new KernelTimer(context, stream);
        operands = new Operands(context, stream, isTrial ? 32L << 20 : 4L << 30);
    }

    /// <summary>Measures everything.</summary>
    /// <param name="models">At whose shapes.</param>
    /// <param name="note">Is told what is going on.</param>
    /// <param name="cancellationToken">Stops between two kernels.</param>
    public (Ceilings Ceilings, IReadOnlyList<GpuRow> Rows) Measure(
        IEnumerable<ModelShape> models, Action<string> note, CancellationToken cancellationToken)
    {
        note("measuring the ceilings");
        ceilings = GpuCeilings.Measure(context, timer, stream, blas, operands, isTrial);
        var device = context.Device;
        var target = new WorkloadTarget(device.ComputeCapability, device.Multiprocessors, device.SharedMemoryPerBlock);
        foreach (var model in models)
        {
            note($"kernels at the shapes of {model.Name}");
            var catalog = new WorkloadCatalog(model, target);
            foreach (var workload in Workloads(catalog))
            {
                cancellationToken.ThrowIfCancellationRequested();
                Time(workload);
            }

            TimeProducts(model, catalog, cancellationToken);
        }

        if (!isTrial)
        {
            note($"products at the shapes of {ModelShape.Large.Name}");
            TimeProducts(ModelShape.Large, new WorkloadCatalog(ModelShape.Large, target), cancellationToken);
        }

        note("kernels of mixtures of experts");
        var experts = new ExpertWorkloads(isTrial ? ExpertShape.Trial : ExpertShape.Real, target);
        foreach (var workload in (isTrial ? [3, 40] : (int[])[1, 16, 64, 2048]).SelectMany(experts.Step))
        {
            cancellationToken.ThrowIfCancellationRequested();
            Time(workload);
        }

        note("kernels of latent attention");
        var latent = isTrial ? LatentWorkloads.Small : LatentWorkloads.Real;
        foreach (var workload in (isTrial ? [(2, 300)] : ((int, int)[])[(1, 4096), (8, 4096), (64, 4096)]).SelectMany(step => latent.Decode(target, step.Item1, step.Item2))
            .Concat(latent.Prefill(target, isTrial ? 100 : 2048)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            Time(workload);
        }

        return (ceilings, rows);
    }

    public void Dispose()
    {
        operands.Dispose();
        timer.Dispose();
        blas.Dispose();
        kernels.Dispose();
        stream.Dispose();
    }

    /// <summary>Products with 4-bit weights in every way that there is, beside cuBLAS in bf16.</summary>
    private void TimeProducts(ModelShape model, WorkloadCatalog catalog, CancellationToken cancellationToken)
    {
        foreach (var n in isTrial ? [1, 16] : (int[])[1, 8, 16, 32, 64, 128, 512])
        {
            foreach (var workload in catalog.QuantizedProducts(n))
            {
                cancellationToken.ThrowIfCancellationRequested();
                Time(workload);
            }

            foreach (var (name, m, k) in model.Products)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Blas($"{model.Name} {name}", n, m, k);
                if (name != "head" && n > QuantizedGemvKernel.MostRows)
                    DequantizedBlas(catalog.Dequantize(name, m, k), $"{model.Name} {name}", n, m, k);
            }
        }
    }

    private IEnumerable<Workload> Workloads(WorkloadCatalog catalog) =>
    [
        .. (isTrial ? [(2, 300)] : ((int, int)[])[(1, 4096), (4, 4096), (8, 4096), (16, 4096), (64, 4096)]).SelectMany(step => catalog.Decode(step.Item1, step.Item2)),
        .. (isTrial ? [100] : (int[])[2048, 16384]).SelectMany(catalog.Prefill),
    ];

    private void Time(Workload workload)
    {
        var kernel = kernels.Get(workload.Instance);
        var launch = workload.Bind(operands);
        Add(workload.Kernel, workload.Shape, workload.Peer, workload.Bytes, workload.Operations, turn => launch(kernel, stream, turn));
    }

    private void Blas(string name, int n, int m, int k)
    {
        var weights = (long)m * k * 2;
        var y = operands.Zeros((long)n * m * 4);
        var shape = new ProductShape(n, m, k, k, k, m, MatrixType.BFloat16, MatrixType.BFloat16);
        Add("cuBLAS", $"{name} {n}×{m}×{k}", new("product", n, m, k), weights + (n * (m + k) * 2L), 2.0 * n * m * k, turn =>
            blas.Multiply(stream, shape, new(operands.Random((long)n * k * 2, turn), operands.Random(weights, turn), y)));
    }

    private void DequantizedBlas(Workload dequantize, string name, int n, int m, int k)
    {
        var kernel = kernels.Get(dequantize.Instance);
        var launch = dequantize.Bind(operands);
        var (y, numbers) = (operands.Zeros((long)n * m * 4), operands.Random((long)m * k * 2, 0));
        var shape = new ProductShape(n, m, k, k, k, m, MatrixType.BFloat16, MatrixType.BFloat16);
        Add("dequantize int4 + cuBLAS", $"{name} {n}×{m}×{k}, groups of {WorkloadCatalog.GroupSize}", null, dequantize.Bytes, 2.0 * n * m * k, turn =>
        {
            launch(kernel, stream, turn);
            blas.Multiply(stream, shape, new(operands.Random((long)n * k * 2, turn), numbers, y));
        });
    }

    private void Add(string kernel, string shape, PeerWork? work, double bytes, double operations, Action<int> launch)
    {
        var (median, min, max, all) = timer.Measure(launch, Repeats);
        operands.Release();
        rows.Add(new(kernel, shape, work, median, min, max, all, bytes, operations, ceilings.Floor(bytes, operations)));
    }
}
