using System.Runtime.InteropServices;
using Weft.Interop.Tests.Support;

namespace Weft.Interop.Tests;

/// <summary>Every native call that can fail is made to fail: the exception names call and status, and the process goes on.</summary>
[TestFixture]
public sealed class FaultTests
{
    private const string Source = """
        #include "common/types.cuh"
        namespace weft {
        struct Params { int* y; };
        template <int> __global__ void write(Params p) { p.y[threadIdx.x] = threadIdx.x; }
        }
        """;

    private static readonly string[] DriverCalls =
    [
        "cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem_v2", "cuDeviceGetAttribute",
        "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent", "cuCtxSynchronize", "cuMemGetInfo_v2", "cuMemAlloc_v2", "cuMemHostAlloc",
        "cuMemcpyHtoD_v2", "cuMemcpyDtoH_v2", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemcpyDtoDAsync_v2", "cuMemsetD8Async",
        "cuDeviceGetDefaultMemPool", "cuMemPoolSetAttribute", "cuMemAllocFromPoolAsync", "cuMemFreeAsync", "cuStreamCreate",
        "cuStreamSynchronize", "cuStreamWaitEvent", "cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuEventCreate", "cuEventRecord",
        "cuEventQuery", "cuEventSynchronize", "cuEventElapsedTime", "cuModuleLoadData", "cuModuleGetFunction", "cuFuncGetAttribute",
        "cuFuncSetAttribute", "cuFuncGetParamInfo", "cuOccupancyMaxActiveBlocksPerMultiprocessor", "cuLaunchKernelEx",
        "cuGraphInstantiateWithFlags", "cuGraphGetNodes", "cuGraphLaunch",
    ];

    // Every status of every call, but for those that are answers: no usable driver or device, which is another exception, and "not yet".
    private static IEnumerable<object[]> DriverFaults =>
        from function in DriverCalls
        from status in Enum.GetValues<CudaResult>()
        where (function, status) is not ((_, CudaResult.Success) or ("cuInit", CudaResult.StubLibrary or CudaResult.NoDevice)
            or ("cuDeviceGetCount", CudaResult.NoDevice) or ("cuEventQuery", CudaResult.NotReady))
        select (object[])[function, status];

    private static readonly string[] NvrtcCalls =
    [
        "nvrtcVersion", "nvrtcCreateProgram", "nvrtcAddNameExpression", "nvrtcCompileProgram", "nvrtcGetPTXSize", "nvrtcGetPTX", "nvrtcGetCUBINSize", "nvrtcGetCUBIN",
        "nvrtcGetLoweredName", "nvrtcGetNumSupportedArchs", "nvrtcGetSupportedArchs",
    ];

    private static readonly string[] CublasCalls =
    [
        "cublasLtCreate", "cublasLtMatmulDescCreate", "cublasLtMatmulDescSetAttribute", "cublasLtMatrixLayoutCreate",
        "cublasLtMatrixLayoutSetAttribute", "cublasLtMatmulPreferenceCreate", "cublasLtMatmulPreferenceSetAttribute",
        "cublasLtMatmulAlgoGetHeuristic", "cublasLtMatmul",
    ];

    [TestCaseSource(nameof(DriverFaults))]
    public void A_failing_driver_call_is_named(string function, CudaResult status)
    {
        SimulatedDevice.Select();
        var exception = Assert.Throws<CudaException>(() => WithFault(function, (int)status));
        Assert.That(exception.Status, Is.EqualTo(status));
        Assert.That(exception.Message, Does.Contain(function).And.Contain("CUDA_"));
        UseEverything();
    }

    [Test]
    public void A_failing_compiler_call_is_named(
        [ValueSource(nameof(NvrtcCalls))] string function, [Values] NvrtcResult status)
    {
        SimulatedDevice.Select();
        if (status == NvrtcResult.Success)
            return;
        var exception = Assert.Throws<NvrtcException>(() => WithFault(function, (int)status));
        Assert.That(exception.Status, Is.EqualTo(status));
        Assert.That(exception.Message, Does.Contain(function).And.Contain("NVRTC_ERROR"));
        UseEverything();
    }

    [Test]
    public void A_failing_product_call_is_named(
        [ValueSource(nameof(CublasCalls))] string function, [Values] CublasStatus status)
    {
        SimulatedDevice.Select();
        if (status == CublasStatus.Success)
            return;
        var exception = Assert.Throws<CublasException>(() => WithFault(function, (int)status));
        Assert.That(exception.Status, Is.EqualTo(status));
        Assert.That(exception.Message, Does.Contain(function).And.Contain("CUBLAS_STATUS"));
        UseEverything();
    }

    [Test]
    public void A_driver_without_a_device_is_said_to_have_none([Values("cuInit", "cuDeviceGetCount")] string function)
    {
        SimulatedDevice.Select();
        Simulator.ClearFaults();
        Simulator.InjectFault(function, (int)CudaResult.NoDevice);
        Assert.That(() => CudaContext.Create(0), Throws.TypeOf<CudaUnavailableException>().With.Message.Contains("no device"));
        UseEverything();
    }

    [Test]
    public void A_toolkit_s_stub_in_the_driver_s_place_is_told_apart()
    {
        SimulatedDevice.Select();
        Simulator.ClearFaults();
        Simulator.InjectFault("cuInit", (int)CudaResult.StubLibrary);
        Assert.That(() => CudaContext.Create(0), Throws.TypeOf<CudaUnavailableException>());
        UseEverything();
    }

    [Test]
    public void A_device_that_is_not_there_is_refused_by_number()
    {
        SimulatedDevice.Select();
        Assert.That(() => CudaContext.Create(1), Throws.TypeOf<CudaUnavailableException>().With.Message.Contains("no CUDA device 1"));
        Assert.That(() => CudaContext.Create(-1), Throws.TypeOf<CudaUnavailableException>());
    }

    [Test]
    public void More_memory_than_there_is_is_refused_and_the_rest_works()
    {
        using var device = SimulatedDevice.Open();
        var (free, total) = device.Context.MemoryInfo();
        Assert.That(() => CudaDeviceMemory.Allocate(device.Context, total + 1), Throws.TypeOf<CudaException>().With.Property("Status").EqualTo(CudaResult.OutOfMemory));
        Assert.That(device.Context.MemoryInfo().Free, Is.EqualTo(free));
        Assert.That(SimulatedDevice.Download<int>(device.Upload(1, 2, 3), 3), Is.EqualTo(new[] { 1, 2, 3 }));
    }

    private static void WithFault(string function, int status)
    {
        Simulator.ClearFaults();
        Simulator.InjectFault(function, status);
        try
        {
            UseEverything(keepFaults: true);
        }
        finally
        {
            Simulator.ClearFaults();
        }
    }

    /// <summary>Makes every call once and checks what comes out.</summary>
    private static unsafe void UseEverything(bool keepFaults = false)
    {
        if (!keepFaults)
            Simulator.ClearFaults();
        using var context = CudaContext.Create(0);
        using var stream = CudaStream.Create(context);
        using var other = CudaStream.Create(context);
        using var start = CudaEvent.Create(context, EventTiming.Timed);
        using var end = CudaEvent.Create(context, EventTiming.Timed);
        context.MemoryInfo();
        _ = CudaRuntimeCompiler.Version();
        _ = CudaRuntimeCompiler.SupportedArchitectures();
        var folder = Path.Combine(Weft.Reference.SharedData.Repository, "kernels");
        var headers = Directory.EnumerateFiles(folder, "*.cuh", SearchOption.AllDirectories)
            .Select(path => new CudaHeader(Path.GetRelativePath(folder, path).Replace('\\', '/'), File.ReadAllText(path))).ToList();
        var program = Compiled.GetOrCompile(headers, keepFaults);
        using var module = CudaModule.Load(context, program.Image.Span);
        var kernel = module.GetKernel(program.LoweredNames["weft::write<0>"]);
        Assert.That(kernel.ParameterBytes, Is.EqualTo(8));
        _ = kernel.Registers;
        _ = kernel.MaxBlocksPerMultiprocessor(64, 64 * 1024);

        using var memory = CudaDeviceMemory.Allocate(context, 512);
        using var pinned = CudaPinnedMemory.Allocate(context, 512);
        var pool = new CudaMemoryPool(context);
        CudaMemoryPool.Free(stream, pool.Allocate(stream, 64));
        memory.CopyFrom<int>(new int[32]);
        memory.CopyTo<int>(new int[32]);
        memory.FillAsync(0, stream);
        memory.CopyFromAsync(memory, 0, 256, 128, stream);
        memory.CopyFromAsync(pinned.Address, 0, 16, stream);
        start.Record(stream);
        _ = start.IsComplete;
        other.WaitFor(start);
        stream.BeginCapture();
        try
        {
            kernel.Launch(stream, new LaunchShape(1, 1, 1, 32, 0), new Params { Y = memory.Address });
        }
        catch
        {
            stream.EndCapture().Dispose();
            throw;
        }

        using var graph = stream.EndCapture();
        Assert.That(graph.NodeCount, Is.EqualTo(1));
        using var exec = graph.Instantiate();
        exec.Launch(stream);
        end.Record(stream);
        memory.CopyToAsync(pinned.Address, 0, 128, stream);
        end.Synchronize();
        stream.Synchronize();
        Assert.That(CudaEvent.ElapsedMilliseconds(start, end), Is.GreaterThanOrEqualTo(0));
        Assert.That(pinned.AsSpan<int>(0, 32).ToArray(), Is.EqualTo(Enumerable.Range(0, 32)));

        using var blas = new CudaBlas(context);
        using var x = CudaDeviceMemory.Allocate(context, 64);
        x.CopyFrom<float>(Enumerable.Repeat(1f, 16).ToArray());
        using var y = CudaDeviceMemory.Allocate(context, 64);
        blas.Multiply(stream, new(2, 2, 4, 4, 4, 2, MatrixType.Float32, MatrixType.Float32, Batches: 2, XBatchStride: 8, WBatchStride: 8, YBatchStride: 4), new(x.Address, x.Address, y.Address));
        context.Synchronize();
        var product = new float[8];
        y.CopyTo<float>(product);
        Assert.That(product, Has.All.EqualTo(4f));
    }

    /// <summary>A compilation takes most of a second: where no fault is meant for it, one serves all tests.</summary>
    private static class Compiled
    {
        private static CompiledProgram? program;

        public static CompiledProgram GetOrCompile(List<CudaHeader> headers, bool faults)
        {
            if (program is not null && !(faults && NvrtcCalls.Contains(TestContext.CurrentContext.Test.Arguments.FirstOrDefault())))
                return program;
            var compiled = CudaRuntimeCompiler.Compile(Source, "test.cu", headers, ["weft::write<0>"], ["--gpu-architecture=sm_90a"]);
            return program = compiled;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Params
    {
        public nuint Y;
    }
}
