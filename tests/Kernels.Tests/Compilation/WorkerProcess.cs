using System.Diagnostics;
using System.Globalization;
using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Interop;
using Weft.Kernels.Tests.Support;
using Weft.Models;
using Weft.Tensors;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>The test assembly started as a program, for what one process cannot show.</summary>
internal static class WorkerProcess
{
    /// <summary>Exit code where the machine lacks what the work takes.</summary>
    public const int Unavailable = 3;

    /// <summary>Images that <see cref="Simulated"/> leaves in the cache.</summary>
    public const int SimulatedImages = Steps;

    private const string Simulated = "simulated";
    private const string Real = "real";
    private const int Steps = 8;

    /// <summary>Starts compiling the kernels in <paramref name="sources"/> through one cache and running them on the software device.</summary>
    public static Process StartSimulated(string sources, string cache) => Start(Simulated, sources, cache);

    /// <summary>Starts compiling what one model needs with NVIDIA's compiler; prints seconds of the processor's time, whether NVRTC was loaded, and what an image is.</summary>
    public static Process StartReal(string cache, int computeCapability) =>
        Start(Real, cache, computeCapability.ToString(CultureInfo.InvariantCulture));

    /// <summary>Runs what <see cref="Start"/> names; the exit code says whether it went well.</summary>
    public static int Main(string[] arguments) => arguments switch
    {
        [Simulated, var sources, var cache] => RunSimulated(sources, cache),
        [Real, var cache, var computeCapability] => CompileReal(cache, int.Parse(computeCapability, CultureInfo.InvariantCulture)),
        _ => throw new ArgumentException($"there is no work called {string.Join(' ', arguments)}"),
    };

    private static Process Start(params string[] arguments) => Process.Start(new ProcessStartInfo("dotnet", [typeof(WorkerProcess).Assembly.Location, .. arguments])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    private static int RunSimulated(string sources, string folder)
    {
        var device = TestDevice.Open();
        var cache = new CubinCache(folder, note: Console.Error.WriteLine);
        var architecture = new KernelArchitecture(device.Context.Device.ComputeCapability);
        using var library = new KernelLibrary(device.Context, new KernelCompiler(KernelSources.FromFolder(sources), cache, architecture));
        library.Load(Enumerable.Range(0, Steps).Select(ScaleKernel.Instance));
        return Enumerable.Range(0, Steps).Count(step => ScaleKernel.Run(library, device, step) != 200 + step);
    }

    private static int CompileReal(string folder, int computeCapability)
    {
        CudaLibraries.Select(CudaPlatform.Nvidia);
        if (CudaLibraries.CompilerIdentity() is null)
            return Unavailable;
        var compiler = new KernelCompiler(KernelSources.FromAssembly(), new CubinCache(folder), new KernelArchitecture(computeCapability));
        // Not the clock's time: other tests run beside this one.
        var before = Environment.CpuUsage.TotalTime;
        var images = KernelLibrary.Compile(compiler, OneModel(computeCapability));
        var seconds = (Environment.CpuUsage.TotalTime - before).TotalSeconds;
        if (images.Find(image => image.Failure is not null)?.Failure is { } failure)
            throw failure;
        var isLoaded = File.ReadAllText("/proc/self/maps").Contains("libnvrtc", StringComparison.Ordinal);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{seconds} {isLoaded} {(images[0].Compiled!.Image.Span.StartsWith("\u007fELF"u8) ? "cubin" : "PTX")}"));
        return 0;
    }

    /// <summary>What a bf16 model of the LLaMA lineage asks for when it is loaded.</summary>
    private static IEnumerable<KernelInstance> OneModel(int computeCapability)
    {
        const DataType Type = DataType.BFloat16;
        var attention = AttentionTypes.Usual[1];
        const int HeadSize = 128;
        yield return NormKernel.Instance(NormForm.Rms, DataType.Float32, Type);
        yield return EmbeddingKernel.Instance(Type);
        yield return RotaryCacheWriteKernel.Instance(attention.Cache, HeadSize);
        yield return ActivationKernel.Gated(Type, Activation.Silu);
        yield return CopyKernels.Block;
        yield return CopyKernels.Rows(DataType.Float32, DataType.Float32);
        yield return SamplingKernel.Greedy;
        yield return SamplingKernel.Draw;
        yield return AttentionPrefillKernel.Instance(attention, HeadSize, AttentionVariant.Causal, computeCapability);
        yield return AttentionDecodeKernel.Instance(attention, HeadSize, groupHeads: 4, AttentionVariant.Causal);
        yield return GemvKernel.Instance(Type, 1, GemvInput.RmsInput, GemvOutput.StoreFloat);
        yield return GemvKernel.Instance(Type, 2, GemvInput.RmsInput, GemvOutput.StoreFloat);
        yield return GemvKernel.Instance(Type, 1, GemvInput.PlainInput, GemvOutput.Accumulate);
        yield return GemvKernel.Gated(Type, GemvInput.RmsInput, Activation.Silu);
    }
}
