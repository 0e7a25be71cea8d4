using Weft.Interop;

namespace Weft.Backends.Cuda;

/// <summary>The states of recurrent blocks on the device: [slots, size] float32.</summary>
internal sealed class DeviceStates(CudaContext context, int slots, int size) : IDisposable
{
    private readonly CudaDeviceMemory memory = CudaDeviceMemory.Allocate(context, Math.Max(1, CountBytes(slots, size)));

    /// <summary>First number of slot 0.</summary>
    public nuint Address => memory.Address;

    /// <summary>Numbers of a state.</summary>
    public int Size => size;

    /// <summary>Bytes taken.</summary>
    public static long CountBytes(int slots, int size) => (long)slots * size * sizeof(float);

    public void Dispose() => memory.Dispose();
}
