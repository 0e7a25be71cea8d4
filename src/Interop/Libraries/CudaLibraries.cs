using System.Reflection;
using System.Runtime.InteropServices;
using Weft.Interop.Libraries;

namespace Weft.Interop;

/// <summary>
/// Chooses once, for the whole process, whether CUDA functions come from NVIDIA's libraries or from the software device, and loads them.
/// </summary>
public static class CudaLibraries
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, nint> Loaded = [];
    private static CudaPlatform? selected;

    static CudaLibraries() => NativeLibrary.SetDllImportResolver(typeof(CudaLibraries).Assembly, Resolve);

    /// <summary>The platform in use: NVIDIA's unless <see cref="Select"/> was called.</summary>
    public static CudaPlatform Selected => selected ?? CudaPlatform.Nvidia;

    /// <summary>Selects the platform; calls after the first must agree with it.</summary>
    /// <exception cref="InteropException">The other platform is in use already.</exception>
    public static void Select(CudaPlatform platform)
    {
        lock (Gate)
        {
            if (selected is { } earlier && earlier != platform)
                throw new InteropException($"this process uses the CUDA functions of {Title(earlier)}; {Title(platform)} needs a process of its own");
            selected = platform;
        }
    }

    /// <summary>What was found where, the software device last.</summary>
    public static IReadOnlyList<LibraryProbe> Probe() =>
    [
        .. NativeLibraryName.Nvidia.Select(library => new LibraryProbe(library.Title, LibraryFinder.Machine.Find(library), library.Advice)),
        new(NativeLibraryName.Simulator.Title, LibraryFinder.FindSimulator(), NativeLibraryName.Simulator.Advice),
    ];

    /// <summary>Tells one compiler from another without loading it: its file, size and time of change; null when there is none.</summary>
    public static string? CompilerIdentity()
    {
        var path = Selected == CudaPlatform.Simulator ? LibraryFinder.FindSimulator() : LibraryFinder.Machine.Find(NativeLibraryName.Nvrtc);
        if (path is null)
            return null;
        var file = new FileInfo(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path);
        return $"{file.Name} {file.Length} {file.LastWriteTimeUtc.Ticks}";
    }

    /// <summary>Throws when <paramref name="library"/> cannot be loaded.</summary>
    /// <exception cref="CudaUnavailableException">It is missing or damaged; the message says what to do.</exception>
    internal static void Require(NativeLibraryName library) => Load(library.Key);

    private static string Title(CudaPlatform platform) => platform == CudaPlatform.Nvidia ? "NVIDIA's driver" : "the software device";

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) => Load(name);

    private static nint Load(string key)
    {
        lock (Gate)
        {
            selected ??= CudaPlatform.Nvidia;
            var library = selected == CudaPlatform.Simulator || key == NativeLibraryName.SimulatorKey
                ? NativeLibraryName.Simulator
                : NativeLibraryName.Nvidia.Single(entry => entry.Key == key);
            if (Loaded.TryGetValue(library.Key, out var handle))
                return handle;
            var path = library == NativeLibraryName.Simulator ? LibraryFinder.FindSimulator() : LibraryFinder.Machine.Find(library);
            return Loaded[library.Key] = Open(library, path);
        }
    }

    private static nint Open(NativeLibraryName library, string? path)
    {
        // A library that the search did not find may still be one that the system's loader knows.
        IEnumerable<string> names = path is not null ? [path] : library.FileNames;
        Exception? failure = null;
        foreach (var name in names)
        {
            try
            {
                return NativeLibrary.Load(name);
            }
            catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException)
            {
                failure = exception;
            }
        }

        throw new CudaUnavailableException(
            path is null
                ? $"{library.Title} ({library.FileNames.FirstOrDefault() ?? library.Key}) was not found: {library.Advice}"
                : $"{library.Title} at {path} cannot be loaded ({failure?.Message})",
            failure);
    }
}
