using Weft.Backends.Cuda.Compilation;
using Weft.Interop;
using Weft.Kernels.Tests.Support;
using Weft.Reference;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>From kernel text to a launch, with the cache between them cold, warm and damaged.</summary>
[TestFixture]
public sealed class KernelLibraryTests
{
    private ScratchFolder folder = null!;
    private TestDevice device = null!;
    private List<string> notes = null!;

    private string CacheFolder => folder["cubins"];

    [SetUp]
    public void OpenDevice()
    {
        device = TestDevice.Open();
        folder = new ScratchFolder();
        notes = [];
    }

    [TearDown]
    public void CloseDevice()
    {
        if (folder is null)
            return; // there is no device
        if (TestDevice.IsSimulator)
            Simulator.ClearFaults();
        folder.Dispose();
    }

    [Test]
    public void A_kernel_is_compiled_loaded_and_run()
    {
        using var library = Library(ScaleKernel.Write(folder["kernels"]));
        Assert.That(ScaleKernel.Run(library, device, step: 5), Is.EqualTo(205));
        var first = library.Get(ScaleKernel.Instance(5));
        Assert.That(library.Get(ScaleKernel.Instance(5)), Is.SameAs(first));
        Assert.That(Entries(), Has.Length.EqualTo(1));
    }

    [Test]
    public void The_parameter_struct_has_the_size_that_the_kernel_reads()
    {
        using var library = Library(ScaleKernel.Write(folder["kernels"]));
        Assert.That(library.Get(ScaleKernel.Instance(1)).ParameterBytes, Is.EqualTo(16));
    }

    [Test]
    public void A_warm_start_does_not_compile()
    {
        RequireSimulator();
        var sources = ScaleKernel.Write(folder["kernels"]);
        var instances = Enumerable.Range(0, 10).Select(ScaleKernel.Instance).ToArray();
        using (var cold = Library(sources))
            cold.Load(instances);

        ForbidCompiler();
        var enough = TimeSpan.FromSeconds(0.3);
        Assert.That(Clock.Shortest(enough, () =>
        {
            using var timed = Library(sources);
            timed.Load(instances);
        }), Is.LessThan(enough));
        using var warm = Library(sources);
        warm.Load(instances);
        for (var step = 0; step < instances.Length; step++)
            Assert.That(ScaleKernel.Run(warm, device, step), Is.EqualTo(200 + step));
        Assert.That(() => warm.Get(ScaleKernel.Instance(99)), Throws.InstanceOf<NvrtcException>(), "the compiler is forbidden");
    }

    [Test]
    public void A_changed_source_or_header_is_compiled()
    {
        foreach (var (source, offset, expected) in ((string, int, int)[])
            [(ScaleKernel.Source, 0, 207), (ScaleKernel.Source, 30, 237), (ScaleKernel.Source.Replace("+ Step", "- Step", StringComparison.Ordinal), 30, 223)])
        {
            using var library = Library(ScaleKernel.Write(folder["kernels"], source, offset));
            Assert.That(ScaleKernel.Run(library, device, step: 7), Is.EqualTo(expected));
        }

        Assert.That(Entries(), Has.Length.EqualTo(3));
    }

    [Test]
    public void A_damaged_entry_is_compiled_again([Values] bool truncated)
    {
        RequireSimulator();
        var sources = ScaleKernel.Write(folder["kernels"]);
        using (var cold = Library(sources))
            cold.Get(ScaleKernel.Instance(1));
        var entry = Entries().Single();
        var good = File.ReadAllBytes(entry);
        var bad = truncated ? good[..(good.Length / 2)] : [.. good];
        bad[bad.Length / 2] ^= 4;
        File.WriteAllBytes(entry, bad);

        using (var library = Library(sources))
            Assert.That(ScaleKernel.Run(library, device, step: 1), Is.EqualTo(201));
        ForbidCompiler();
        using (var library = Library(sources))
            Assert.That(ScaleKernel.Run(library, device, step: 1), Is.EqualTo(201), "a good entry has taken its place");
    }

    [Test]
    public void Without_a_usable_folder_kernels_run_all_the_same()
    {
        File.WriteAllText(folder["cubins"], "a file, not a folder");
        using var library = Library(ScaleKernel.Write(folder["kernels"]));
        library.Load([ScaleKernel.Instance(1), ScaleKernel.Instance(2)]);
        Assert.That(ScaleKernel.Run(library, device, step: 2), Is.EqualTo(202));
        Assert.That(notes, Has.Count.EqualTo(1));
    }

    [Test]
    public void A_compile_error_carries_the_whole_log()
    {
        using var library = Library(ScaleKernel.Write(
            folder["kernels"], ScaleKernel.Source.Replace("+ Step", "+ first_unknown + second_unknown", StringComparison.Ordinal)));
        var failure = Assert.Throws<KernelCompilationException>(() => library.Get(ScaleKernel.Instance(3)))!;
        Assert.That(failure.Message, Does.StartWith("kernels/scale.cu does not compile").And.Contain("weft::scale<3>"));
        Assert.That(failure.Message, Does.Contain("first_unknown").And.Contain("second_unknown").And.EndWith(((NvrtcException)failure.InnerException!).Log));
        Assert.That(Directory.Exists(CacheFolder) ? Entries() : [], Is.Empty, "a failure is not kept");
    }

    [Test]
    public void An_instance_that_does_not_exist_is_an_error_with_its_name()
    {
        using var library = Library(ScaleKernel.Write(folder["kernels"]));
        Assert.That(
            () => library.Get(new(ScaleKernel.File, "weft::no_such_kernel<3>")),
            Throws.TypeOf<KernelCompilationException>().With.Message.Contains("weft::no_such_kernel<3>"));
        Assert.That(ScaleKernel.Run(library, device, step: 1), Is.EqualTo(201), "the library stays usable");
    }

    [Test]
    public void One_bad_file_leaves_the_others_usable()
    {
        ScaleKernel.Write(folder["kernels"]);
        File.WriteAllText(folder["kernels/bad.cu"], "template <int N> __global__ void bad(Unknown p) {}");
        using var library = Library(KernelSources.FromFolder(folder["kernels"]));
        var failure = Assert.Throws<KernelCompilationException>(() => library.Load([ScaleKernel.Instance(1), new("bad.cu", "bad<1>")]))!;
        Assert.That(failure.Message, Does.StartWith("kernels/bad.cu"));
        RequireSimulator();
        ForbidCompiler();
        Assert.That(ScaleKernel.Run(library, device, step: 1), Is.EqualTo(201));
    }

    [Test]
    public void Threads_share_a_library()
    {
        using var library = Library(ScaleKernel.Write(folder["kernels"]));
        var kernels = new CudaKernel[16];
        Parallel.For(0, kernels.Length, i => kernels[i] = library.Get(ScaleKernel.Instance(i % 2)));
        Assert.That(kernels.Distinct().Count(), Is.EqualTo(2));
    }

    [Test]
    public void Processes_share_a_cold_folder()
    {
        var sources = folder["kernels"];
        ScaleKernel.Write(sources);
        var processes = Enumerable.Range(0, 4).Select(_ => WorkerProcess.StartSimulated(sources, CacheFolder)).ToArray();
        foreach (var process in processes)
        {
            var output = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
            Assert.That(process.WaitForExit(TimeSpan.FromMinutes(1)), "it hangs");
            Assert.That(process.ExitCode, Is.Zero, output);
            process.Dispose();
        }

        Assert.That(Directory.GetFiles(CacheFolder, "*.tmp"), Is.Empty);
        Assert.That(Entries(), Has.Length.EqualTo(WorkerProcess.SimulatedImages));
    }

    private static void RequireSimulator()
    {
        if (!TestDevice.IsSimulator)
            Assert.Ignore("only the software device counts what is called");
    }

    /// <summary>Every use of the compiler from here on fails.</summary>
    private static void ForbidCompiler()
    {
        foreach (var function in (string[])["nvrtcCreateProgram", "nvrtcVersion", "nvrtcGetSupportedArchs", "nvrtcGetNumSupportedArchs"])
            Simulator.InjectFault(function, status: 7, afterCalls: 0); // NVRTC_ERROR_BUILTIN_OPERATION_FAILURE
    }

    private KernelLibrary Library(KernelSources sources) => new(
        device.Context,
        new KernelCompiler(sources, new CubinCache(CacheFolder, note: notes.Add), new KernelArchitecture(device.Context.Device.ComputeCapability)));

    private string[] Entries() => Directory.GetFiles(CacheFolder, "*.cubin");
}
