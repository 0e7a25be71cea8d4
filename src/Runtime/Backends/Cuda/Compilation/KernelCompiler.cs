using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;

namespace Weft.Backends.Cuda.Compilation;

/// <summary>Compiles kernel instances for one architecture, or takes them from the cache. Thread-safe.</summary>
internal sealed class KernelCompiler(KernelSources sources, CubinCache cache, int computeCapability)
{
    private const string Standard = "--std=c++17";

    /// <summary>Instances of one source in one image.</summary>
    /// <exception cref="KernelCompilationException">The source has errors.</exception>
    /// <exception cref="CudaUnavailableException">Nothing is cached and NVRTC is missing.</exception>
    public CompiledKernels Compile(string source, IReadOnlyList<string> expressions)
    {
        var ordered = expressions.Distinct().Order(StringComparer.Ordinal).ToList();
        var key = Key(source, ordered);
        if (cache.Find(key) is { } cached)
            return cached;
        var compiled = Build(source, ordered, Architecture());
        cache.Store(key, compiled);
        return compiled;
    }

    private CompiledKernels Build(string source, List<string> expressions, string architecture)
    {
        try
        {
            var program = CudaRuntimeCompiler.Compile(
                sources.Text(source), source, sources.Headers, expressions, [Standard, $"--gpu-architecture={architecture}"]);
            return new(program.Image, program.LoweredNames);
        }
        catch (NvrtcException exception) when (exception.Status is NvrtcResult.Compilation or NvrtcResult.NameExpressionNotValid)
        {
            throw new KernelCompilationException(
                $"kernels/{source} does not compile for {architecture} ({string.Join(", ", expressions)}){Environment.NewLine}{exception.Log}", exception);
        }
    }

    /// <summary>
    /// sm_XX of the device, or, where the compiler is older than the device, PTX for the newest architecture that it knows, which the
    /// driver translates. 9.0 is compiled with its own instructions.
    /// </summary>
    private string Architecture()
    {
        var known = CudaRuntimeCompiler.SupportedArchitectures();
        if (known.Contains(computeCapability))
            return computeCapability == 90 ? "sm_90a" : string.Create(CultureInfo.InvariantCulture, $"sm_{computeCapability}");
        var newest = known.Where(architecture => architecture < computeCapability).DefaultIfEmpty(0).Max();
        if (newest == 0)
            throw new WeftException($"the GPU has compute capability {computeCapability / 10}.{computeCapability % 10}, which NVRTC {CudaRuntimeCompiler.Version().Major} no longer compiles for: install an older NVRTC");
        return string.Create(CultureInfo.InvariantCulture, $"compute_{newest}");
    }

    private string Key(string source, List<string> expressions)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Add(string text)
        {
            // Lengths between the pieces: no two lists of pieces have the same bytes.
            var bytes = Encoding.UTF8.GetBytes(text);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }

        // The compiler's file stands for its version, so that a warm start need not load it.
        Add(CudaLibraries.CompilerIdentity());
        Add(computeCapability.ToString(CultureInfo.InvariantCulture));
        Add(Standard);
        Add(source);
        Add(sources.Text(source));
        foreach (var header in sources.Headers)
        {
            Add(header.Name);
            Add(header.Text);
        }

        foreach (var expression in expressions)
            Add(expression);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
