using Weft.Interop.Driver;

namespace Weft.Interop;

/// <summary>A piece of device memory.</summary>
public sealed unsafe class CudaDeviceMemory : IDisposable
{
    private readonly DeviceMemoryHandle handle;

    private CudaDeviceMemory(CudaContext context, nuint address, long bytes)
    {
        handle = new DeviceMemoryHandle(context, address);
        Bytes = bytes;
    }

    /// <summary>Size.</summary>
    public long Bytes { get; }

    /// <summary>Where it begins on the device, aligned to 256 bytes.</summary>
    public nuint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(handle.IsClosed, this);
            return (nuint)handle.Value;
        }
    }

    /// <summary>Allocates; the content is undefined.</summary>
    /// <exception cref="CudaException">The device has too little memory (<see cref="CudaResult.OutOfMemory"/>).</exception>
    public static CudaDeviceMemory Allocate(CudaContext context, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        CudaException.Check(DriverApi.cuMemAlloc_v2(out var address, (nuint)bytes));
        return new(context, address, bytes);
    }

    /// <summary>Copies from the host to the start, and waits.</summary>
    public void CopyFrom<T>(ReadOnlySpan<T> source)
        where T : unmanaged
    {
        var bytes = Check(0, (long)source.Length * sizeof(T));
        fixed (T* pointer = source)
            CudaException.Check(DriverApi.cuMemcpyHtoD_v2(Address, pointer, bytes));
    }

    /// <summary>Copies from the start to the host, and waits.</summary>
    public void CopyTo<T>(Span<T> target)
        where T : unmanaged
    {
        var bytes = Check(0, (long)target.Length * sizeof(T));
        fixed (T* pointer = target)
            CudaException.Check(DriverApi.cuMemcpyDtoH_v2(pointer, Address, bytes));
    }

    /// <summary>Submits a copy of <paramref name="bytes"/> from pinned memory to <paramref name="offset"/>.</summary>
    public void CopyFromAsync(nint pinned, long offset, long bytes, CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CudaException.Check(DriverApi.cuMemcpyHtoDAsync_v2(Address + (nuint)offset, (void*)pinned, Check(offset, bytes), stream.Handle));
    }

    /// <summary>Submits a copy of <paramref name="bytes"/> from <paramref name="offset"/> to pinned memory.</summary>
    public void CopyToAsync(nint pinned, long offset, long bytes, CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CudaException.Check(DriverApi.cuMemcpyDtoHAsync_v2((void*)pinned, Address + (nuint)offset, Check(offset, bytes), stream.Handle));
    }

    /// <summary>Submits a copy of <paramref name="bytes"/> from other device memory, or from another part of this.</summary>
    /// <param name="source">Where from.</param>
    /// <param name="from">First byte there.</param>
    /// <param name="to">First byte here; the ranges do not overlap.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="stream">Where to.</param>
    public void CopyFromAsync(CudaDeviceMemory source, long from, long to, long bytes, CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(stream);
        source.Check(from, bytes);
        CudaException.Check(DriverApi.cuMemcpyDtoDAsync_v2(Address + (nuint)to, source.Address + (nuint)from, Check(to, bytes), stream.Handle));
    }

    /// <summary>Submits filling all of it with one byte.</summary>
    public void FillAsync(byte value, CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CudaException.Check(DriverApi.cuMemsetD8Async(Address, value, (nuint)Bytes, stream.Handle));
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();

    private nuint Check(long offset, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, Bytes - offset);
        return (nuint)bytes;
    }
}
