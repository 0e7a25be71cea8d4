using Weft.Interop.Driver;

namespace Weft.Interop;

/// <summary>The device's stream-ordered allocator: memory is there for work that follows in the stream, without a host-wide wait.</summary>
public sealed unsafe class CudaMemoryPool
{
    private const int ReleaseThreshold = 4;

    private readonly nint pool;

    /// <summary>The default pool of the context's device, kept from giving memory back at every synchronisation.</summary>
    public CudaMemoryPool(CudaContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        CudaException.Check(DriverApi.cuDeviceGet(out var device, context.Device.Ordinal));
        CudaException.Check(DriverApi.cuDeviceGetDefaultMemPool(out pool, device));
        var keep = ulong.MaxValue;
        CudaException.Check(DriverApi.cuMemPoolSetAttribute(pool, ReleaseThreshold, &keep));
    }

    /// <summary>Allocates for work that follows in <paramref name="stream"/>.</summary>
    public nuint Allocate(CudaStream stream, long bytes)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CudaException.Check(DriverApi.cuMemAllocFromPoolAsync(out var address, (nuint)bytes, pool, stream.Handle));
        return address;
    }

    /// <summary>Frees after the work that <paramref name="stream"/> holds.</summary>
    public static void Free(CudaStream stream, nuint address)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CudaException.Check(DriverApi.cuMemFreeAsync(address, stream.Handle));
    }
}
