using System.Globalization;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;

namespace Weft.Backends.Cuda.Compilation;

/// <summary>Compiles kernel instances for one architecture, or takes them from the cache. Thread-safe.</summary>
internal sealed class KernelCompiler(KernelSources sources, CubinCache cache, KernelArchitecture architecture)
{
    /// <summary>No fast-math among them: results are those that the reference allows for.</summary>
    private const string Standard = "--std=c++17";

    /// <summary>An instance in an image of its own.</summary>
    /// <exception cref="KernelCompilationException">The source has errors.</exception>
    /// <exception cref="CudaUnavailableException">Something is not cached and NVRTC is missing.</exception>
    /// <exception cref="WeftException">NVRTC cannot compile for the device, or there is no such source.</exception>
    public CompiledKernels Compile(KernelInstance instance)
    {
        var installed = CudaLibraries.CompilerIdentity();
        if (cache.Compiler(installed) is { } compiler && cache.Find(Key(compiler, instance)) is { } cached)
            return cached;
        var program = Compile(sources, instance.Source, [instance.Expression], architecture.Option(CudaRuntimeCompiler.SupportedArchitectures()));
        var compiled = new CompiledKernels(program.Image, program.LoweredNames);
        if (installed is not null)
            cache.Store(Key(installed, instance), compiled, installed);
        return compiled;
    }

    /// <summary>Compiles past the cache, with the compiler's log.</summary>
    /// <param name="sources">Texts of the kernels.</param>
    /// <param name="source">File under kernels/.</param>
    /// <param name="expressions">Instances.</param>
    /// <param name="options">Options beside the standard ones: the architecture at least.</param>
    /// <exception cref="KernelCompilationException">The source has errors.</exception>
    /// <exception cref="CudaUnavailableException">NVRTC is missing.</exception>
    public static CompiledProgram Compile(KernelSources sources, string source, IReadOnlyList<string> expressions, params string[] options)
    {
        try
        {
            return CudaRuntimeCompiler.Compile(sources.Text(source), source, sources.HeadersOf(source), expressions, [Standard, .. options]);
        }
        catch (NvrtcException exception) when (exception.Status is NvrtcResult.Compilation or NvrtcResult.NameExpressionNotValid)
        {
            throw new KernelCompilationException(
                $"kernels/{source} does not compile with {string.Join(' ', options)} ({string.Join(", ", expressions)}){Environment.NewLine}{exception.Log}", exception);
        }
    }

    /// <summary>What <see cref="Compile(KernelSources, string, IReadOnlyList{string}, string[])"/> follows from beside the compiler and the options given to it.</summary>
    public static CubinKey KeyOf(KernelSources sources, KernelInstance instance) =>
        CubinKey.Of("", instance.Source, sources.Text(instance.Source), sources.HeadersOf(instance.Source), [instance.Expression], [Standard]);

    /// <summary>
    /// The architecture option follows from the device and the compiler, so those two stand for it: to ask the compiler what it supports
    /// would load it.
    /// </summary>
    private CubinKey Key(string compiler, KernelInstance instance) => CubinKey.Of(
        compiler, instance.Source, sources.Text(instance.Source), sources.HeadersOf(instance.Source), [instance.Expression],
        [Standard, architecture.Number.ToString(CultureInfo.InvariantCulture)]);
}
