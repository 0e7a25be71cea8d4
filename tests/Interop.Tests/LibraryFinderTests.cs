using System.Runtime.InteropServices;
using Weft.Interop.Driver;
using Weft.Interop.Cublas;
using Weft.Interop.Libraries;

namespace Weft.Interop.Tests;

/// <summary>Where libraries are looked for, on trees of folders made up for the purpose.</summary>
[TestFixture]
public sealed class LibraryFinderTests
{
    private string root = "";

    [SetUp]
    public void Create() => root = Directory.CreateTempSubdirectory("weft-libraries-").FullName;

    [TearDown]
    public void Delete() => Directory.Delete(root, recursive: true);

    [TestCase("CUDA_HOME", "toolkit", "toolkit/lib64/libnvrtc.so.12")]
    [TestCase("CUDA_PATH", "toolkit", "toolkit/targets/x86_64-linux/lib/libnvrtc.so.13")]
    [TestCase("CONDA_PREFIX", "conda", "conda/lib/libnvrtc.so.11.2")]
    [TestCase("CONDA_PREFIX", "conda", "conda/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12")]
    [TestCase("VIRTUAL_ENV", "venv", "venv/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13")]
    [TestCase("HOME", "home", "home/.local/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12")]
    [TestCase("HOME", "home", "home/.pyenv/versions/3.12.1/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12")]
    public void A_compiler_is_found_where_packages_put_it(string variable, string value, string file)
    {
        Touch(file);
        Assert.That(Finder((variable, value)).Find(NativeLibraryName.Nvrtc), Is.EqualTo(At(file)));
    }

    [Test]
    public void A_newer_version_wins_over_a_nearer_place()
    {
        Touch("toolkit/lib64/libnvrtc.so.12");
        Touch("venv/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13");
        var finder = Finder(("CUDA_HOME", "toolkit"), ("VIRTUAL_ENV", "venv"));
        Assert.That(finder.Find(NativeLibraryName.Nvrtc), Does.EndWith("libnvrtc.so.13"));
    }

    [Test]
    public void Of_equal_versions_the_place_that_the_user_named_wins()
    {
        Touch("toolkit/lib64/libcublasLt.so.12");
        Touch("venv/lib/python3.12/site-packages/nvidia/cublas/lib/libcublasLt.so.12");
        var finder = Finder(("CUDA_HOME", "toolkit"), ("VIRTUAL_ENV", "venv"));
        Assert.That(finder.Find(NativeLibraryName.CublasLt), Is.EqualTo(At("toolkit/lib64/libcublasLt.so.12")));
    }

    [Test]
    public void A_driver_is_not_taken_from_a_toolkit()
    {
        // Toolkits carry a stub of the driver, which does nothing.
        Touch("toolkit/lib64/libcuda.so.1");
        Assert.That(Finder(("CUDA_HOME", "toolkit")).Find(NativeLibraryName.Driver), Is.Not.EqualTo(At("toolkit/lib64/libcuda.so.1")));
    }

    [Test]
    public void What_is_nowhere_is_not_found() => Assert.That(Finder(("CUDA_HOME", "nothing")).Find(NativeLibraryName.CublasLt), Is.Null);

    [Test]
    public void Every_library_has_advice()
    {
        foreach (var probe in CudaLibraries.Probe())
            Assert.That(probe.Advice, Is.Not.Empty, probe.Name);
        Assert.That(CudaLibraries.Probe().Select(probe => probe.Name), Is.EqualTo(new[] { "CUDA driver", "NVRTC", "cuBLASLt", "software CUDA device" }));
    }

    [Test]
    public void Structures_have_the_sizes_of_the_driver_s_headers()
    {
        Assert.That(Marshal.SizeOf<LaunchConfig>(), Is.EqualTo(56));
        Assert.That(Marshal.OffsetOf<LaunchConfig>(nameof(LaunchConfig.Stream)), Is.EqualTo((nint)32));
        Assert.That(Marshal.SizeOf<LaunchAttribute>(), Is.EqualTo(72));
        Assert.That(Marshal.SizeOf<HeuristicResult>(), Is.EqualTo(96));
    }

    /// <summary>A finder that sees nothing of the machine but the made-up tree.</summary>
    private LibraryFinder Finder(params (string Name, string Value)[] variables)
    {
        var values = variables.ToDictionary(v => v.Name, v => At(v.Value));
        var places = new SearchPlaces(values.GetValueOrDefault, pattern => pattern.StartsWith(root, StringComparison.Ordinal) ? FolderPattern.Expand(pattern) : []);
        return new LibraryFinder(places, File.Exists);
    }

    private string At(string path) => Path.Combine(root, path);

    private void Touch(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(file))!);
        File.WriteAllBytes(At(file), []);
    }
}
