using Weft.Interop.Driver;

namespace Weft.Interop;

/// <summary>Host memory that stays where it is, so that the device copies from and to it while the host goes on.</summary>
public sealed unsafe class CudaPinnedMemory : IDisposable
{
    private readonly PinnedMemoryHandle handle;

    private CudaPinnedMemory(CudaContext context, nint address, long bytes)
    {
        handle = new PinnedMemoryHandle(context, address);
        Bytes = bytes;
    }

    /// <summary>Size.</summary>
    public long Bytes { get; }

    /// <summary>Where it begins.</summary>
    public nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(handle.IsClosed, this);
            return handle.Value;
        }
    }

    /// <summary>Allocates.</summary>
    public static CudaPinnedMemory Allocate(CudaContext context, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        CudaException.Check(DriverApi.cuMemHostAlloc(out var address, (nuint)bytes, 0));
        return new(context, address, bytes);
    }

    /// <summary>A part as elements.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="count">Elements.</param>
    public Span<T> AsSpan<T>(long offset, int count)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count * (long)sizeof(T), Bytes - offset);
        return new((byte*)Address + offset, count);
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();
}
