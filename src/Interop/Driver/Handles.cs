using System.Runtime.InteropServices;

namespace Weft.Interop.Driver;

/// <summary>
/// A handle of the driver that belongs to a context. Release makes the context current first, because a finalizer runs on a thread
/// that has none; what it returns is not reported, since after a lost context every release fails.
/// </summary>
internal abstract class ContextHandle : SafeHandle
{
    private readonly nint context;

    protected ContextHandle(CudaContext context, nint handle)
        : base(0, ownsHandle: true)
    {
        this.context = context.Handle;
        SetHandle(handle);
    }

    public sealed override bool IsInvalid => handle == 0;

    public nint Value => handle;

    protected sealed override bool ReleaseHandle()
    {
        if (DriverApi.cuCtxPushCurrent_v2(context) != CudaResult.Success)
            return false;
        var status = Release();
        _ = DriverApi.cuCtxPopCurrent_v2(out _);
        return status == CudaResult.Success;
    }

    protected abstract CudaResult Release();
}

internal sealed class StreamHandle(CudaContext context, nint handle) : ContextHandle(context, handle)
{
    protected override CudaResult Release() => DriverApi.cuStreamDestroy_v2(handle);
}

internal sealed class EventHandle(CudaContext context, nint handle) : ContextHandle(context, handle)
{
    protected override CudaResult Release() => DriverApi.cuEventDestroy_v2(handle);
}

internal sealed class CodeModuleHandle(CudaContext context, nint handle) : ContextHandle(context, handle)
{
    protected override CudaResult Release() => DriverApi.cuModuleUnload(handle);
}

internal sealed class GraphHandle(CudaContext context, nint handle) : ContextHandle(context, handle)
{
    protected override CudaResult Release() => DriverApi.cuGraphDestroy(handle);
}

internal sealed class GraphExecHandle(CudaContext context, nint handle) : ContextHandle(context, handle)
{
    protected override CudaResult Release() => DriverApi.cuGraphExecDestroy(handle);
}

internal sealed class DeviceMemoryHandle(CudaContext context, nuint address) : ContextHandle(context, (nint)address)
{
    protected override CudaResult Release() => DriverApi.cuMemFree_v2((nuint)handle);
}

internal sealed class PinnedMemoryHandle(CudaContext context, nint address) : ContextHandle(context, address)
{
    protected override CudaResult Release() => DriverApi.cuMemFreeHost(handle);
}
