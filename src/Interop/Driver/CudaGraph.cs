using Weft.Interop.Driver;

namespace Weft.Interop;

/// <summary>Recorded work.</summary>
public sealed unsafe class CudaGraph : IDisposable
{
    private readonly CudaContext context;
    private readonly GraphHandle handle;

    internal CudaGraph(CudaContext context, nint handle)
    {
        this.context = context;
        this.handle = new GraphHandle(context, handle);
    }

    /// <summary>Number of recorded operations.</summary>
    public int NodeCount
    {
        get
        {
            nuint count = 0;
            CudaException.Check(DriverApi.cuGraphGetNodes(handle, null, ref count));
            return (int)count;
        }
    }

    /// <summary>Makes it runnable.</summary>
    public CudaGraphExec Instantiate()
    {
        CudaException.Check(DriverApi.cuGraphInstantiateWithFlags(out var instance, handle, 0));
        return new(context, instance);
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();
}

/// <summary>A graph ready to run: one call submits all its work.</summary>
public sealed class CudaGraphExec : IDisposable
{
    private readonly GraphExecHandle handle;

    internal CudaGraphExec(CudaContext context, nint handle) => this.handle = new GraphExecHandle(context, handle);

    /// <summary>Submits the work.</summary>
    public void Launch(CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        CudaException.Check(DriverApi.cuGraphLaunch(handle, stream.Handle));
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();
}
