using System.Diagnostics;
using Weft.Backends.Cuda.Compilation;
using Weft.Interop;
using Weft.Kernels.Tests.Support;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>A process that compiles and runs the kernels of one folder through one cache: the test assembly started as a program.</summary>
internal static class CacheWorker
{
    private const int Steps = 8;

    /// <summary>Compilations that <see cref="Steps"/> instances take.</summary>
    public const int Groups = 2;

    /// <summary>Starts one.</summary>
    public static Process Start(string sources, string cache) => Process.Start(
        new ProcessStartInfo("dotnet", [typeof(CacheWorker).Assembly.Location, sources, cache]) { RedirectStandardOutput = true, RedirectStandardError = true })!;

    /// <summary>Exit code 0 when every kernel gives what it should.</summary>
    public static int Main(string[] arguments)
    {
        var device = TestDevice.Open();
        var cache = new CubinCache(arguments[1], note: Console.Error.WriteLine);
        var architecture = new KernelArchitecture(device.Context.Device.ComputeCapability);
        using var library = new KernelLibrary(device.Context, new KernelCompiler(KernelSources.FromFolder(arguments[0]), cache, architecture));
        library.Load(Enumerable.Range(0, Steps).Select(ScaleKernel.Instance));
        return Enumerable.Range(0, Steps).Count(step => ScaleKernel.Run(library, device, step) != 200 + step);
    }
}
