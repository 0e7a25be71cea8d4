using System.Collections.Concurrent;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;

namespace Weft.Backends.Cuda.Compilation;

/// <summary>The kernels of one context: compiled or taken from the cache, and loaded.</summary>
internal sealed class KernelLibrary(CudaContext context, KernelCompiler compiler) : IDisposable
{
    private readonly Dictionary<KernelInstance, CudaKernel> kernels = [];
    private readonly List<CudaModule> modules = [];

    /// <summary>A library of the embedded kernels over the default cache.</summary>
    public static KernelLibrary Create(CudaContext context) =>
        new(context, new KernelCompiler(KernelSources.Load(), CubinCache.Default, context.Device.ComputeCapability));

    /// <summary>Makes instances ready: one image a source, all sources at once on the processor's threads.</summary>
    public void Load(IEnumerable<KernelInstance> instances)
    {
        var groups = instances.Where(instance => !kernels.ContainsKey(instance)).Distinct().GroupBy(instance => instance.Source).ToList();
        var compiled = new ConcurrentDictionary<string, CompiledKernels>();
        try
        {
            Parallel.ForEach(groups, group => compiled[group.Key] = compiler.Compile(group.Key, [.. group.Select(instance => instance.Expression)]));
        }
        catch (AggregateException exception) when (exception.InnerExceptions.Count > 0)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(exception.InnerExceptions[0]);
        }

        foreach (var group in groups)
        {
            var module = CudaModule.Load(context, compiled[group.Key].Image.Span);
            modules.Add(module);
            foreach (var instance in group)
                kernels[instance] = module.GetKernel(compiled[group.Key].LoweredNames[instance.Expression]);
        }
    }

    /// <summary>An instance, made ready now if it is not yet.</summary>
    public CudaKernel Get(KernelInstance instance)
    {
        if (!kernels.TryGetValue(instance, out var kernel))
        {
            Load([instance]);
            kernel = kernels[instance];
        }

        return kernel;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var module in modules)
            module.Dispose();
    }
}
