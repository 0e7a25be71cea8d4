using Weft.Interop.Driver;

namespace Weft.Interop;

/// <summary>
/// The primary context of a device: memory, streams and modules belong to it. Calls go to the context that is current on the calling
/// thread; <see cref="MakeCurrent"/> sets it.
/// </summary>
public sealed class CudaContext : IDisposable
{
    private readonly int device;
    private bool disposed;

    private CudaContext(int device, nint handle, CudaDeviceInfo info) => (this.device, Handle, Device) = (device, handle, info);

    /// <summary>What it runs on.</summary>
    public CudaDeviceInfo Device { get; }

    internal nint Handle { get; }

    /// <summary>Retains the primary context of a device and makes it current.</summary>
    /// <exception cref="CudaUnavailableException">No usable driver, or no such device.</exception>
    /// <exception cref="CudaException">The driver cannot make a context.</exception>
    public static CudaContext Create(int ordinal)
    {
        var info = CudaDeviceInfo.Get(ordinal);
        CudaException.Check(DriverApi.cuDeviceGet(out var device, ordinal));
        CudaException.Check(DriverApi.cuDevicePrimaryCtxRetain(out var handle, device));
        var context = new CudaContext(device, handle, info);
        try
        {
            context.MakeCurrent();
            return context;
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }

    /// <summary>Makes it the context of the calling thread.</summary>
    public void MakeCurrent()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        CudaException.Check(DriverApi.cuCtxSetCurrent(Handle));
    }

    /// <summary>Waits for everything that was submitted.</summary>
    public void Synchronize()
    {
        MakeCurrent();
        CudaException.Check(DriverApi.cuCtxSynchronize());
    }

    /// <summary>Free and total bytes of the device.</summary>
    public (long Free, long Total) MemoryInfo()
    {
        MakeCurrent();
        CudaException.Check(DriverApi.cuMemGetInfo_v2(out var free, out var total));
        return ((long)free, (long)total);
    }

    /// <summary>Releases the context; what belongs to it must have been disposed before.</summary>
    public void Dispose()
    {
        if (disposed)
            return;
        disposed = true;
        _ = DriverApi.cuDevicePrimaryCtxRelease_v2(device);
    }
}
