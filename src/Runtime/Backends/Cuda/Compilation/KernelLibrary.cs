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
            var groups = Compile(compiler, instances.Where(instance => !kernels.ContainsKey(instance)));
            context.MakeCurrent();
            foreach (var group in groups)
            {
                if (group.Compiled is { } compiled)
                    Load(group, compiled);
            }

            // The first in order: the same mistake is always reported the same way.
            if (groups.Find(group => group.Failure is not null)?.Failure is { } failure)
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
    /// Compiles or finds instances, on all processors. Which share an image, and in which order, follows from the set alone: the cache's
    /// keys do too.
    /// </summary>
    internal static List<KernelGroup> Compile(KernelCompiler compiler, IEnumerable<KernelInstance> instances)
    {
        List<KernelGroup> groups =
        [
            .. from instance in instances.Distinct()
               group instance.Expression by instance.Source into source
               orderby source.Key
               from expressions in source.Order(StringComparer.Ordinal).Chunk(ImageInstances)
               select new KernelGroup(source.Key, expressions),
        ];
        Parallel.ForEach(groups, group =>
        {
            try
            {
                group.Compiled = compiler.Compile(group.Source, group.Expressions);
            }
            catch (Exception failure) when (failure is WeftException or InteropException)
            {
                group.Failure = failure;
            }
        });
        return groups;
    }

    private void Load(KernelGroup group, CompiledKernels compiled)
    {
        var module = CudaModule.Load(context, compiled.Image.Span);
        modules.Add(module);
        foreach (var expression in group.Expressions)
            kernels[new KernelInstance(group.Source, expression)] = module.GetKernel(compiled.LoweredNames[expression]);
    }

    /// <summary>Instances of one source that share an image.</summary>
    internal sealed record KernelGroup(string Source, string[] Expressions)
    {
        /// <summary>What came of it, or null.</summary>
        public CompiledKernels? Compiled { get; set; }

        /// <summary>Why nothing came of it, or null.</summary>
        public Exception? Failure { get; set; }
    }
}
