using System.Runtime.InteropServices;
using Weft.Interop.Libraries;

namespace Weft.Interop.Driver;

/// <summary>
/// The driver functions that Weft uses, under their own names. Those with a suffix are the ones whose signature is the same in
/// CUDA 11.8, 12 and 13.
/// </summary>
internal static unsafe partial class DriverApi
{
    private const string Library = NativeLibraryName.DriverKey;

    [LibraryImport(Library)]
    public static partial CudaResult cuInit(uint flags);

    [LibraryImport(Library)]
    public static partial CudaResult cuDriverGetVersion(out int version);

    [LibraryImport(Library)]
    public static partial CudaResult cuGetErrorName(CudaResult status, byte** text);

    [LibraryImport(Library)]
    public static partial CudaResult cuGetErrorString(CudaResult status, byte** text);

    [LibraryImport(Library)]
    public static partial CudaResult cuDeviceGetCount(out int count);

    [LibraryImport(Library)]
    public static partial CudaResult cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Library)]
    public static partial CudaResult cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    public static partial CudaResult cuDeviceTotalMem_v2(out nuint bytes, int device);

    [LibraryImport(Library)]
    public static partial CudaResult cuDeviceGetAttribute(out int value, DeviceAttribute attribute, int device);

    [LibraryImport(Library)]
    public static partial CudaResult cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library)]
    public static partial CudaResult cuDevicePrimaryCtxRelease_v2(int device);

    [LibraryImport(Library)]
    public static partial CudaResult cuCtxSetCurrent(nint context);

    [LibraryImport(Library)]
    public static partial CudaResult cuCtxPushCurrent_v2(nint context);

    [LibraryImport(Library)]
    public static partial CudaResult cuCtxPopCurrent_v2(out nint context);

    [LibraryImport(Library)]
    public static partial CudaResult cuCtxSynchronize();

    [LibraryImport(Library)]
    public static partial CudaResult cuMemGetInfo_v2(out nuint free, out nuint total);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemAlloc_v2(out nuint address, nuint bytes);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemFree_v2(nuint address);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemHostAlloc(out nint address, nuint bytes, uint flags);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemFreeHost(nint address);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemcpyHtoD_v2(nuint target, void* source, nuint bytes);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemcpyDtoH_v2(void* target, nuint source, nuint bytes);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemcpyHtoDAsync_v2(nuint target, void* source, nuint bytes, StreamHandle stream);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemcpyDtoHAsync_v2(void* target, nuint source, nuint bytes, StreamHandle stream);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemcpyDtoDAsync_v2(nuint target, nuint source, nuint bytes, StreamHandle stream);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemsetD8Async(nuint target, byte value, nuint bytes, StreamHandle stream);

    [LibraryImport(Library)]
    public static partial CudaResult cuDeviceGetDefaultMemPool(out nint pool, int device);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemPoolSetAttribute(nint pool, int attribute, void* value);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemAllocFromPoolAsync(out nuint address, nuint bytes, nint pool, StreamHandle stream);

    [LibraryImport(Library)]
    public static partial CudaResult cuMemFreeAsync(nuint address, StreamHandle stream);

    [LibraryImport(Library)]
    public static partial CudaResult cuStreamCreate(out nint stream, uint flags);

    [LibraryImport(Library)]
    public static partial CudaResult cuStreamDestroy_v2(nint stream);

    [LibraryImport(Library)]
    public static partial CudaResult cuStreamSynchronize(StreamHandle stream);

    [LibraryImport(Library)]
    public static partial CudaResult cuStreamWaitEvent(StreamHandle stream, EventHandle signal, uint flags);

    [LibraryImport(Library)]
    public static partial CudaResult cuStreamBeginCapture_v2(StreamHandle stream, int mode);

    [LibraryImport(Library)]
    public static partial CudaResult cuStreamEndCapture(StreamHandle stream, out nint graph);

    [LibraryImport(Library)]
    public static partial CudaResult cuEventCreate(out nint signal, uint flags);

    [LibraryImport(Library)]
    public static partial CudaResult cuEventDestroy_v2(nint signal);

    [LibraryImport(Library)]
    public static partial CudaResult cuEventRecord(EventHandle signal, StreamHandle stream);

    [LibraryImport(Library)]
    public static partial CudaResult cuEventQuery(EventHandle signal);

    [LibraryImport(Library)]
    public static partial CudaResult cuEventSynchronize(EventHandle signal);

    [LibraryImport(Library)]
    public static partial CudaResult cuEventElapsedTime(out float milliseconds, EventHandle start, EventHandle end);

    [LibraryImport(Library)]
    public static partial CudaResult cuModuleLoadData(out nint module, byte* image);

    [LibraryImport(Library)]
    public static partial CudaResult cuModuleUnload(nint module);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial CudaResult cuModuleGetFunction(out nint function, CodeModuleHandle module, string name);

    [LibraryImport(Library)]
    public static partial CudaResult cuFuncGetAttribute(out int value, int attribute, nint function);

    [LibraryImport(Library)]
    public static partial CudaResult cuFuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Library)]
    public static partial CudaResult cuFuncGetParamInfo(nint function, nuint index, out nuint offset, out nuint size);

    [LibraryImport(Library)]
    public static partial CudaResult cuLaunchKernelEx(LaunchConfig* config, nint function, void** parameters, void** extra);

    [LibraryImport(Library)]
    public static partial CudaResult cuOccupancyMaxActiveBlocksPerMultiprocessor(out int blocks, nint function, int blockSize, nuint sharedBytes);

    [LibraryImport(Library)]
    public static partial CudaResult cuGraphInstantiateWithFlags(out nint instance, GraphHandle graph, ulong flags);

    [LibraryImport(Library)]
    public static partial CudaResult cuGraphDestroy(nint graph);

    [LibraryImport(Library)]
    public static partial CudaResult cuGraphGetNodes(GraphHandle graph, nint* nodes, ref nuint count);

    [LibraryImport(Library)]
    public static partial CudaResult cuGraphExecDestroy(nint instance);

    [LibraryImport(Library)]
    public static partial CudaResult cuGraphLaunch(GraphExecHandle instance, StreamHandle stream);
}
