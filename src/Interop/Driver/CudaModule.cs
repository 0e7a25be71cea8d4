using Weft.Interop.Driver;

namespace Weft.Interop;

/// <summary>Compiled code on a device.</summary>
public sealed unsafe class CudaModule : IDisposable
{
    private readonly CodeModuleHandle handle;

    private CudaModule(CudaContext context, nint handle) => this.handle = new CodeModuleHandle(context, handle);

    /// <summary>Loads a cubin, or PTX that ends in a zero byte.</summary>
    /// <exception cref="CudaException">The image is damaged or for another architecture.</exception>
    public static CudaModule Load(CudaContext context, ReadOnlySpan<byte> image)
    {
        fixed (byte* bytes = image)
        {
            CudaException.Check(DriverApi.cuModuleLoadData(out var handle, bytes), "cuModuleLoadData");
            return new(context, handle);
        }
    }

    /// <summary>A kernel by its name in the module; valid while the module is.</summary>
    /// <exception cref="CudaException">There is none.</exception>
    public CudaKernel GetKernel(string loweredName)
    {
        CudaException.Check(DriverApi.cuModuleGetFunction(out var function, handle, loweredName), $"cuModuleGetFunction({loweredName})");
        return new(function, loweredName);
    }

    /// <inheritdoc/>
    public void Dispose() => handle.Dispose();
}
