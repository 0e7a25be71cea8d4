using Weft.Backends.Cuda.Compilation;
using Weft.Interop;
using Weft.Kernels.Tests.Support;
using Weft.Reference;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>The kernels' texts, from the assembly and from a folder.</summary>
[TestFixture]
public sealed class KernelSourcesTests
{
    private static readonly string Folder = Path.Combine(SharedData.Repository, "kernels");

    [Test]
    public void The_assembly_carries_the_folder()
    {
        var (carried, folder) = (KernelSources.FromAssembly(), KernelSources.FromFolder(Folder));
        Assert.That(carried.Headers, Is.EqualTo(folder.Headers));
        Assert.That(carried.Files, Is.EqualTo(folder.Files));
        foreach (var file in folder.Files)
            Assert.That(carried.Text(file), Is.EqualTo(folder.Text(file)), file);
        Assert.That(carried.Headers.Select(header => header.Name), Does.Contain("common/ptx.cuh"));
    }

    [Test]
    public void Names_are_those_of_the_includes()
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch["common"]);
        File.WriteAllText(scratch["common/b.cuh"], "// b");
        File.WriteAllText(scratch["x.cu"], "// x");
        File.WriteAllText(scratch["x.cu.orig"], "no kernel");
        var sources = KernelSources.FromFolder(scratch.Path);
        Assert.That(sources.Headers, Is.EqualTo(new[] { new CudaHeader("common/b.cuh", "// b") }));
        Assert.That(sources.Files, Is.EqualTo(new[] { "x.cu" }));
        Assert.That(sources.Text("x.cu"), Is.EqualTo("// x"));
    }

    [Test]
    public void A_missing_file_and_a_missing_folder_are_named()
    {
        using var scratch = new ScratchFolder();
        Assert.That(() => KernelSources.FromAssembly().Text("none.cu"), Throws.TypeOf<WeftException>().With.Message.Contains("'none.cu'"));
        Assert.That(() => KernelSources.FromFolder(scratch["none"]), Throws.TypeOf<WeftException>().With.Message.Contains("cannot be read"));
        Assert.That(() => KernelSources.FromFolder(scratch.Path), Throws.TypeOf<WeftException>().With.Message.Contains("holds no .cu or .cuh"));
    }

    /// <summary>NVRTC gets nothing but our sources: an include of anything else would need a toolkit on the user's machine.</summary>
    [Test]
    public void Nothing_but_own_headers_is_included()
    {
        var sources = KernelSources.FromFolder(Folder);
        foreach (var (name, text) in Texts(sources))
        {
            foreach (var line in text.Split('\n').Where(line => line.TrimStart().StartsWith("#include", StringComparison.Ordinal)))
                Assert.That(sources.Headers.Select(header => $"#include \"{header.Name}\""), Does.Contain(line.Trim()), name);
        }
    }

    [Test]
    public void Inline_PTX_stays_in_its_header()
    {
        var sources = KernelSources.FromFolder(Folder);
        foreach (var (name, text) in Texts(sources))
        {
            if (name != "common/ptx.cuh")
                Assert.That(text, Does.Not.Match(@"\basm\b"), name);
        }
    }

    private static IEnumerable<(string Name, string Text)> Texts(KernelSources sources) =>
        sources.Headers.Select(header => (header.Name, header.Text)).Concat(sources.Files.Select(file => (file, sources.Text(file))));
}
