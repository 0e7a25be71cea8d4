using System.Text;
using System.Text.RegularExpressions;
using Weft.Interop;

namespace Weft.Backends.Cuda.Compilation;

/// <summary>
/// The text of all kernels: embedded in this assembly, so that a published program carries them, or read from the folder that WEFT_KERNELS
/// names, so that who writes kernels need not build anything.
/// </summary>
internal sealed partial class KernelSources
{
    private const string Prefix = "kernels/";

    private readonly Dictionary<string, string> files;

    private KernelSources(Dictionary<string, string> files)
    {
        this.files = files;
        Files = [.. files.Keys.Where(name => name.EndsWith(".cu", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        Headers = [.. files.Where(file => file.Key.EndsWith(".cuh", StringComparison.Ordinal)).OrderBy(file => file.Key, StringComparer.Ordinal)
            .Select(file => new CudaHeader(file.Key, file.Value))];
    }

    /// <summary>The kernel files in ordinal order: <c>norm.cu</c>.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>What sources may include, by the name in the directive.</summary>
    public IReadOnlyList<CudaHeader> Headers { get; }

    /// <summary>Reads the embedded files, or the folder that WEFT_KERNELS names.</summary>
    /// <exception cref="WeftException">The folder cannot be read or holds no kernels.</exception>
    public static KernelSources Load() =>
        Environment.GetEnvironmentVariable("WEFT_KERNELS") is { Length: > 0 } folder ? FromFolder(folder) : FromAssembly();

    /// <summary>Reads all .cu and .cuh files below a folder.</summary>
    /// <exception cref="WeftException">It cannot be read or holds none.</exception>
    public static KernelSources FromFolder(string folder)
    {
        try
        {
            var paths = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(path => Path.GetExtension(path) is ".cu" or ".cuh");
            var files = paths.ToDictionary(path => Path.GetRelativePath(folder, path).Replace('\\', '/'), File.ReadAllText);
            return files.Count > 0 ? new(files) : throw new WeftException($"the kernel folder '{folder}' holds no .cu or .cuh file");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"the kernel folder '{folder}' cannot be read ({exception.Message})", exception);
        }
    }

    /// <summary>Makes sources of texts by name.</summary>
    public static KernelSources FromTexts(IReadOnlyDictionary<string, string> texts) => new(new(texts));

    /// <summary>The text of a source.</summary>
    public string Text(string source) =>
        files.TryGetValue(source, out var text) ? text : throw new WeftException($"there is no kernel source '{source}'");

    /// <summary>The headers that a source includes, and those that they include, in ordinal order.</summary>
    public IReadOnlyList<CudaHeader> HeadersOf(string source)
    {
        var included = new SortedSet<string>(StringComparer.Ordinal);
        void Include(string text)
        {
            foreach (Match include in IncludeLine().Matches(text))
            {
                var name = include.Groups["name"].Value;
                if (files.TryGetValue(name, out var header) && included.Add(name))
                    Include(header);
            }
        }

        Include(Text(source));
        return [.. included.Select(name => new CudaHeader(name, files[name]))];
    }

    [GeneratedRegex("^#include \"(?<name>[^\"]+)\"", RegexOptions.Multiline)]
    private static partial Regex IncludeLine();

    /// <summary>Reads the embedded files.</summary>
    public static KernelSources FromAssembly()
    {
        var assembly = typeof(KernelSources).Assembly;
        return new(assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).ToDictionary(
            name => name[Prefix.Length..],
            name =>
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
                return reader.ReadToEnd();
            }));
    }
}
