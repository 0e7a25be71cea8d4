using Weft.Interop.Cublas;
using Weft.Interop.Libraries;

namespace Weft.Interop;

/// <summary>
/// Dense products through cuBLASLt. The algorithm of a shape is chosen the first time the shape is seen; after that a product allocates
/// nothing. One stream at a time: products share a workspace.
/// </summary>
public sealed class CudaBlas : IDisposable
{
    private const long WorkspaceBytes = 32L << 20;
    private const long HopperWorkspaceBytes = 64L << 20;

    private readonly Dictionary<ProductShape, ProductPlan> plans = [];
    private readonly CudaDeviceMemory workspace;
    private nint handle;

    /// <summary>Loads the library and takes its workspace.</summary>
    /// <exception cref="CudaUnavailableException">cuBLASLt is missing.</exception>
    public CudaBlas(CudaContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        CudaLibraries.Require(NativeLibraryName.CublasLt);
        workspace = CudaDeviceMemory.Allocate(context, CountBytes(context.Device));
        try
        {
            CublasException.Check(CublasLtApi.cublasLtCreate(out handle));
        }
        catch
        {
            workspace.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of the workspace.</summary>
    public static long CountBytes(CudaDeviceInfo device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.Major >= 9 ? HopperWorkspaceBytes : WorkspaceBytes;
    }

    /// <summary>Chooses the algorithm of a shape ahead of its first product, which must not happen while a stream is captured.</summary>
    public void Prepare(in ProductShape shape) => Plan(shape);

    /// <summary>Submits a product.</summary>
    /// <exception cref="CublasException">There is no algorithm for it.</exception>
    public void Multiply(CudaStream stream, in ProductShape shape, in ProductOperands operands)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Plan(shape).Run(handle, operands, workspace, stream);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var plan in plans.Values)
            plan.Dispose();
        plans.Clear();
        if (handle != 0)
            _ = CublasLtApi.cublasLtDestroy(handle);
        handle = 0;
        workspace.Dispose();
    }

    private ProductPlan Plan(in ProductShape shape)
    {
        ObjectDisposedException.ThrowIf(handle == 0, this);
        if (!plans.TryGetValue(shape, out var plan))
            plans[shape] = plan = new ProductPlan(handle, shape, workspace);
        return plan;
    }
}
