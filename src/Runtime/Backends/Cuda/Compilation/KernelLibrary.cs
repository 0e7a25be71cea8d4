using System.Runtime.ExceptionServices;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;

namespace Weft.Backends.Cuda.Compilation;

/// <summary>The kernels of one context: compiled or taken from the cache, and loaded. Thread-safe.</summary>
internal sealed class KernelLibrary(CudaContext context, KernelCompiler compiler) : IDisposable
{
    /// <summary>
    /// Instances in one image. The headers are parsed once for all of them, while a source with many instances still spreads over the
    /// processors.
    /// </summary>
    private const int ImageInstances = 4;

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
            var groups = Group(instances.Where(instance => !kernels.ContainsKey(instance)));
            var compiled = new CompiledKernels?[groups.Count];
            var failures = new Exception?[groups.Count];
            Parallel.For(0, groups.Count, i =>
            {
                try
                {
                    compiled[i] = compiler.Compile(groups[i].Source, groups[i].Expressions);
                }
                catch (Exception failure) when (failure is WeftException or InteropException)
                {
                    failures[i] = failure;
                }
            });
            context.MakeCurrent();
            for (var i = 0; i < groups.Count; i++)
            {
                if (compiled[i] is { } image)
                    Load(groups[i].Source, groups[i].Expressions, image);
            }

            // The first in order: the same mistake is always reported the same way.
            if (failures.FirstOrDefault(failure => failure is not null) is { } first)
                ExceptionDispatchInfo.Throw(first);
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

    /// <summary>Images in an order, and with contents, that follow from the set alone: the cache's keys do too.</summary>
    private static List<(string Source, string[] Expressions)> Group(IEnumerable<KernelInstance> instances) =>
    [
        .. from instance in instances.Distinct()
           group instance.Expression by instance.Source into source
           orderby source.Key
           from expressions in source.Order(StringComparer.Ordinal).Chunk(ImageInstances)
           select (source.Key, expressions),
    ];

    private void Load(string source, string[] expressions, CompiledKernels compiled)
    {
        var module = CudaModule.Load(context, compiled.Image.Span);
        modules.Add(module);
        foreach (var expression in expressions)
            kernels[new KernelInstance(source, expression)] = module.GetKernel(compiled.LoweredNames[expression]);
    }
}
