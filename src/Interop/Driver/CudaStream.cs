using Weft.Interop.Driver;

namespace Weft.Interop;

/// <summary>A queue of work that the device does in order.</summary>
public sealed class CudaStream : IDisposable
{
    private const uint NonBlocking = 1;
    private const int CaptureThreadLocal = 1;

    private readonly CudaContext context;

    private CudaStream(CudaContext context, nint handle)
    {
        this.context = context;
        Handle = new StreamHandle(context, handle);
    }

    internal StreamHandle Handle { get; }

    /// <summary>Creates a stream that does not wait for the default one.</summary>
    public static CudaStream Create(CudaContext context)
    {
        CudaException.Check(DriverApi.cuStreamCreate(out var handle, NonBlocking));
        return new(context, handle);
    }

    /// <summary>Waits until all submitted work is done; errors of kernels appear here.</summary>
    public void Synchronize() => CudaException.Check(DriverApi.cuStreamSynchronize(Handle));

    /// <summary>Work submitted from now on waits for <paramref name="signal"/>; the caller does not.</summary>
    public void WaitFor(CudaEvent signal)
    {
        ArgumentNullException.ThrowIfNull(signal);
        CudaException.Check(DriverApi.cuStreamWaitEvent(Handle, signal.Handle, 0));
    }

    /// <summary>From now on work is recorded instead of done.</summary>
    public void BeginCapture() => CudaException.Check(DriverApi.cuStreamBeginCapture_v2(Handle, CaptureThreadLocal));

    /// <summary>Ends recording.</summary>
    public CudaGraph EndCapture()
    {
        CudaException.Check(DriverApi.cuStreamEndCapture(Handle, out var graph));
        return new(context, graph);
    }

    /// <summary>Ends recording after an error and forgets what was recorded.</summary>
    public void AbandonCapture()
    {
        if (DriverApi.cuStreamEndCapture(Handle, out var graph) == CudaResult.Success && graph != 0)
            _ = DriverApi.cuGraphDestroy(graph);
    }

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();
}
