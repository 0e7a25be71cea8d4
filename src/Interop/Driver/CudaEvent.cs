using Weft.Interop.Driver;

namespace Weft.Interop;

/// <summary>Whether an event keeps the time, which makes it dearer.</summary>
public enum EventTiming
{
    /// <summary>Order only.</summary>
    None,

    /// <summary>For <see cref="CudaEvent.ElapsedMilliseconds"/>.</summary>
    Timed,
}

/// <summary>A point in a stream.</summary>
public sealed class CudaEvent : IDisposable
{
    private const uint DisableTiming = 2;

    private CudaEvent(CudaContext context, nint handle) => Handle = new EventHandle(context, handle);

    /// <summary>Everything before the last recorded point is done.</summary>
    public bool IsComplete
    {
        get
        {
            var status = DriverApi.cuEventQuery(Handle);
            if (status == CudaResult.NotReady)
                return false;
            CudaException.Check(status, "cuEventQuery");
            return true;
        }
    }

    internal EventHandle Handle { get; }

    /// <summary>Creates an event.</summary>
    public static CudaEvent Create(CudaContext context, EventTiming timing = EventTiming.None)
    {
        CudaException.Check(DriverApi.cuEventCreate(out var handle, timing == EventTiming.Timed ? 0 : DisableTiming));
        return new(context, handle);
    }

    /// <summary>Time between two recorded and completed points, in milliseconds.</summary>
    public static float ElapsedMilliseconds(CudaEvent start, CudaEvent end)
    {
        ArgumentNullException.ThrowIfNull(start);
        ArgumentNullException.ThrowIfNull(end);
        CudaException.Check(DriverApi.cuEventElapsedTime(out var milliseconds, start.Handle, end.Handle));
        return milliseconds;
    }

    /// <summary>Marks the present end of <paramref name="stream"/>.</summary>
    public void Record(CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CudaException.Check(DriverApi.cuEventRecord(Handle, stream.Handle));
    }

    /// <summary>Waits until everything before the recorded point is done.</summary>
    public void Synchronize() => CudaException.Check(DriverApi.cuEventSynchronize(Handle));

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();
}
