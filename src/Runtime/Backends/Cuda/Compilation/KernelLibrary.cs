using System.Runtime.ExceptionServices;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;

namespace Weft.Backends.Cuda.Compilation;

/// <summary>The kernels of one context: compiled or taken from the cache, and loaded. Thread-safe.</summary>
internal sealed class KernelLibrary(CudaContext context, KernelCompiler compiler) : IDisposable
{
    private readonly Dictionary<KernelInstance, CudaKernel> kernels = [];
    private readonly List<CudaModule> modules = [];
    private readonly Lock gate = new();

    /// <summary>A library of the kernels of this program over the default cache.</summary>
    public static KernelLibrary Create(CudaContext context) =>
        new(context, new KernelCompiler(KernelSources.Load(), CubinCache.Default, new KernelArchitecture(context.Device.ComputeCapability)));

    /// <summary>Makes instances ready: compiled at once on the processor's threads, then loaded.</summary>
    /// <exception cref="KernelCompilationException">One does not compile; the others are ready.</exception>
    /// <exception cref="CudaUnavailableException">Something is not cached and NVRTC is missing.</exception>
    public void Load(IEnumerable<KernelInstance> instances)
    {
        lock (gate)
        {
            var images = Compile(compiler, instances.Where(instance => !kernels.ContainsKey(instance)));
            context.MakeCurrent();
            foreach (var image in images)
            {
                if (image.Compiled is { } compiled)
                    Load(image.Instance, compiled);
            }

            // The first in order: the same mistake is always reported the same way.
            if (images.Find(image => image.Failure is not null)?.Failure is { } failure)
                ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <summary>An instance, made ready now if it is not yet.</summary>
    public CudaKernel Get(KernelInstance instance)
    {
        lock (gate)
        {
            if (!kernels.ContainsKey(instance))
                Load([instance]);
            return kernels[instance];
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            foreach (var module in modules)
                module.Dispose();
            modules.Clear();
            kernels.Clear();
        }
    }

    /// <summary>
    /// Compiles or finds instances, on all processors. Each has an image of its own, so that what one model has left in the cache serves every
    /// other that shares the instance: to parse the headers again costs less than to compile another's kernels again.
    /// </summary>
    internal static List<KernelImage> Compile(KernelCompiler compiler, IEnumerable<KernelInstance> instances)
    {
        List<KernelImage> images =
        [
            .. instances.Distinct().OrderBy(instance => instance.Source, StringComparer.Ordinal).ThenBy(instance => instance.Expression, StringComparer.Ordinal)
                .Select(instance => new KernelImage(instance)),
        ];
        Parallel.ForEach(images, image =>
        {
            try
            {
                image.Compiled = compiler.Compile(image.Instance);
            }
            catch (Exception failure) when (failure is WeftException or InteropException)
            {
                image.Failure = failure;
            }
        });
        return images;
    }

    private void Load(KernelInstance instance, CompiledKernels compiled)
    {
        var module = CudaModule.Load(context, compiled.Image.Span);
        modules.Add(module);
        kernels[instance] = module.GetKernel(compiled.LoweredNames[instance.Expression]);
    }

    /// <summary>An instance and its image.</summary>
    internal sealed record KernelImage(KernelInstance Instance)
    {
        /// <summary>What came of it, or null.</summary>
        public CompiledKernels? Compiled { get; set; }

        /// <summary>Why nothing came of it, or null.</summary>
        public Exception? Failure { get; set; }
    }
}
