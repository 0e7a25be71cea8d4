using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;

namespace Weft.Kernels.Tests.Support;

/// <summary>
/// The device that kernel tests run on, one for the process: the software device, or with WEFT_DEVICE=cuda a GPU. Where it is missing,
/// the test is skipped with the reason.
/// </summary>
internal sealed class TestDevice
{
    private static readonly Lazy<(TestDevice? Device, string Reason)> Shared = new(Create);

    private readonly KernelLibrary library;
    private readonly CudaStream stream;

    private TestDevice(CudaContext context)
    {
        Context = context;
        library = KernelLibrary.Create(context);
        stream = CudaStream.Create(context);
    }

    public CudaContext Context { get; }

    public CudaStream Stream => stream;

    public KernelLibrary Library => library;

    public static bool IsSimulator => Environment.GetEnvironmentVariable("WEFT_DEVICE") != "cuda";

    /// <summary>The device, current on this thread.</summary>
    public static TestDevice Open(ulong seed = 1)
    {
        var (device, reason) = Shared.Value;
        if (device is null)
            Assert.Ignore(reason);
        device!.Context.MakeCurrent();
        if (IsSimulator)
            Simulator.SetSeed(seed);
        return device;
    }

    public DeviceArray<T> Upload<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        var array = new DeviceArray<T>(Context, values.Length);
        if (values.Length > 0)
            array.Memory.CopyFrom(values);
        return array;
    }

    public DeviceArray<T> Upload<T>(T[] values)
        where T : unmanaged => Upload((ReadOnlySpan<T>)values);

    /// <summary>An array of 0xFF bytes: NaN in every format, −1 in integers.</summary>
    public DeviceArray<T> Poisoned<T>(int count)
        where T : unmanaged
    {
        var array = new DeviceArray<T>(Context, count);
        array.Memory.FillAsync(0xFF, stream);
        stream.Synchronize();
        return array;
    }

    /// <summary>Launches and waits.</summary>
    public void Run<TParameters>(KernelInstance instance, LaunchShape shape, in TParameters parameters)
        where TParameters : unmanaged
    {
        library.Get(instance).Launch(stream, shape, parameters);
        stream.Synchronize();
    }

    private static (TestDevice? Device, string Reason) Create()
    {
        if (IsSimulator && !OnPath("g++"))
            return (null, "the software CUDA device compiles kernels with g++, which is not on PATH");
        try
        {
            CudaLibraries.Select(IsSimulator ? CudaPlatform.Simulator : CudaPlatform.Nvidia);
            return (new TestDevice(CudaContext.Create(0)), "");
        }
        catch (CudaUnavailableException exception)
        {
            return (null, exception.Message);
        }
    }

    private static bool OnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, program)));
}

/// <summary>An array on the device.</summary>
internal sealed class DeviceArray<T> : IDisposable
    where T : unmanaged
{
    private readonly CudaContext context;

    public unsafe DeviceArray(CudaContext context, int length)
    {
        this.context = context;
        Length = length;
        Memory = CudaDeviceMemory.Allocate(context, Math.Max(1, (long)length * sizeof(T)));
    }

    public int Length { get; }

    public CudaDeviceMemory Memory { get; }

    public nuint Address => Memory.Address;

    public T[] Download()
    {
        context.MakeCurrent();
        var values = new T[Length];
        Memory.CopyTo<T>(values);
        return values;
    }

    public void Dispose() => Memory.Dispose();
}
