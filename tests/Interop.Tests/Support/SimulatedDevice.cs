using Weft.Reference;

namespace Weft.Interop.Tests.Support;

/// <summary>A fresh context on the software device; giving it back clears whatever a test broke.</summary>
internal sealed class SimulatedDevice : IDisposable
{
    private readonly List<IDisposable> owned = [];

    private SimulatedDevice(CudaContext context)
    {
        Context = context;
        Stream = Own(CudaStream.Create(context));
    }

    public CudaContext Context { get; }

    public CudaStream Stream { get; }

    /// <summary>Opens the device; skips the test where it has not been built.</summary>
    public static SimulatedDevice Open(ulong seed = 1)
    {
        Select();
        Simulator.ClearFaults();
        Simulator.SetSeed(seed);
        return new(CudaContext.Create(0));
    }

    /// <summary>Selects the software device; skips the test where it has not been built.</summary>
    public static void Select()
    {
        if (CudaLibraries.Probe()[^1].Path is null)
            Assert.Ignore("the software CUDA device is not built");
        CudaLibraries.Select(CudaPlatform.Simulator);
    }

    public T Own<T>(T resource)
        where T : IDisposable
    {
        owned.Add(resource);
        return resource;
    }

    /// <summary>An array on the device.</summary>
    public CudaDeviceMemory Upload<T>(params T[] values)
        where T : unmanaged
    {
        var memory = Allocate<T>(values.Length);
        memory.CopyFrom<T>(values);
        return memory;
    }

    /// <summary>Room for elements; the device poisons it.</summary>
    public unsafe CudaDeviceMemory Allocate<T>(int count)
        where T : unmanaged => Own(CudaDeviceMemory.Allocate(Context, count * sizeof(T)));

    public static T[] Download<T>(CudaDeviceMemory memory, int count)
        where T : unmanaged
    {
        var values = new T[count];
        memory.CopyTo<T>(values);
        return values;
    }

    /// <summary>Compiles a kernel over the product's own headers.</summary>
    public CudaKernel Compile(string source, string expression)
    {
        var folder = Path.Combine(SharedData.Repository, "kernels");
        var headers = Directory.EnumerateFiles(folder, "*.cuh", SearchOption.AllDirectories)
            .Select(path => new CudaHeader(Path.GetRelativePath(folder, path).Replace('\\', '/'), File.ReadAllText(path))).ToList();
        var program = CudaRuntimeCompiler.Compile(source, "test.cu", headers, [expression], ["--std=c++17", "--gpu-architecture=sm_90a"]);
        return Own(CudaModule.Load(Context, program.Image.Span)).GetKernel(program.LoweredNames[expression]);
    }

    /// <summary>Launches and waits.</summary>
    public void Run<TParameters>(CudaKernel kernel, LaunchShape shape, in TParameters parameters)
        where TParameters : unmanaged
    {
        kernel.Launch(Stream, shape, parameters);
        Stream.Synchronize();
    }

    public void Dispose()
    {
        Simulator.ClearFaults();
        foreach (var resource in Enumerable.Reverse(owned))
            resource.Dispose();
        Context.Dispose();
    }
}
