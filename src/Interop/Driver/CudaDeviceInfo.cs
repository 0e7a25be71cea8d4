using System.Text;
using Weft.Interop.Driver;
using Weft.Interop.Libraries;

namespace Weft.Interop;

/// <summary>What a device is.</summary>
/// <param name="Ordinal">Its number, from 0.</param>
/// <param name="Name">Its name.</param>
/// <param name="Major">Compute capability, before the point.</param>
/// <param name="Minor">Compute capability, after the point.</param>
/// <param name="TotalMemory">Bytes.</param>
/// <param name="Multiprocessors">Streaming multiprocessors.</param>
/// <param name="SharedMemoryPerBlock">Most shared memory that a block can have, in bytes.</param>
/// <param name="L2CacheBytes">Bytes of L2 cache.</param>
/// <param name="DriverVersion">CUDA version that the driver supports: 12040 is 12.4.</param>
public sealed record CudaDeviceInfo(
    int Ordinal, string Name, int Major, int Minor, long TotalMemory, int Multiprocessors, int SharedMemoryPerBlock, int L2CacheBytes, int DriverVersion)
{
    /// <summary>Oldest driver that has every function bound here: CUDA 11.8.</summary>
    public const int OldestDriver = 11080;

    /// <summary>90 for 9.0.</summary>
    public int ComputeCapability => (Major * 10) + Minor;

    /// <summary>Number of devices.</summary>
    /// <exception cref="CudaUnavailableException">There is no usable driver.</exception>
    public static int Count()
    {
        Initialize();
        var status = DriverApi.cuDeviceGetCount(out var count);
        if (status == CudaResult.NoDevice)
            return 0;
        CudaException.Check(status, "cuDeviceGetCount");
        return count;
    }

    /// <summary>Describes a device.</summary>
    /// <exception cref="CudaUnavailableException">There is no usable driver or no such device.</exception>
    public static unsafe CudaDeviceInfo Get(int ordinal)
    {
        var count = Count();
        if (ordinal < 0 || ordinal >= count)
            throw new CudaUnavailableException(count == 0 ? "the CUDA driver finds no device" : $"there is no CUDA device {ordinal}: the driver finds {count}, counted from 0");
        CudaException.Check(DriverApi.cuDeviceGet(out var device, ordinal));
        CudaException.Check(DriverApi.cuDeviceTotalMem_v2(out var memory, device));
        CudaException.Check(DriverApi.cuDriverGetVersion(out var version));
        const int NameBytes = 256;
        var name = stackalloc byte[NameBytes];
        CudaException.Check(DriverApi.cuDeviceGetName(name, NameBytes, device));
        return new(
            ordinal,
            Encoding.UTF8.GetString(System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name)),
            Attribute(device, DeviceAttribute.ComputeCapabilityMajor),
            Attribute(device, DeviceAttribute.ComputeCapabilityMinor),
            (long)memory,
            Attribute(device, DeviceAttribute.MultiprocessorCount),
            Attribute(device, DeviceAttribute.MaxSharedMemoryPerBlockOptin),
            Attribute(device, DeviceAttribute.L2CacheSize),
            version);
    }

    private static void Initialize()
    {
        CudaLibraries.Require(NativeLibraryName.Driver);
        var status = DriverApi.cuInit(0);
        if (status == CudaResult.NoDevice)
            throw new CudaUnavailableException("the CUDA driver finds no device");
        if (status == CudaResult.StubLibrary)
            throw new CudaUnavailableException("libcuda is a toolkit's stub and not a driver: install NVIDIA's driver, or take the stub out of the library path");
        CudaException.Check(status, "cuInit(0)");
        CudaException.Check(DriverApi.cuDriverGetVersion(out var version));
        if (version < OldestDriver)
        {
            throw new CudaUnavailableException(
                $"the CUDA driver supports CUDA {Text(version)}; Weft needs {Text(OldestDriver)} or later: update NVIDIA's driver");
        }
    }

    private static int Attribute(int device, DeviceAttribute attribute)
    {
        CudaException.Check(DriverApi.cuDeviceGetAttribute(out var value, attribute, device));
        return value;
    }

    /// <summary>12.4 for 12040.</summary>
    public static string Text(int version) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{version / 1000}.{version % 1000 / 10}");
}
