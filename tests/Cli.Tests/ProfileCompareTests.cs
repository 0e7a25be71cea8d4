using System.Runtime.Versioning;
using System.Xml.Linq;
using Weft.Reference;

namespace Weft.Cli.Tests;

/// <summary>A change that makes a kernel worse, planted in a copy of the kernels, is caught by <c>weft profile compare</c>.</summary>
[TestFixture]
[UnsupportedOSPlatform("windows")]
public sealed class ProfileCompareTests
{
    private string folder = "";

    [SetUp]
    public void CreateFolder()
    {
        folder = TestModels.NewPath();
        Directory.CreateDirectory(folder);
    }

    [Test]
    public void An_uncoalesced_load_is_caught()
    {
        Require.Simulator();
        var change = ("embedding.cu", "load8(row + c, p.width - c, values);", "for (int i = 0; i < kVec; ++i) values[i] = to_float(row[c + i]);");
        Assert.That(Compare(["profile", "sim", "--kernel", "embedding"], change), Does.Match(@"worse +embedding +global_sectors"));
    }

    [Test]
    public void A_bank_conflict_is_caught()
    {
        Require.Simulator();
        var change = ("attention_prefill.cu", "static constexpr int kRow = D + 8;", "static constexpr int kRow = D;");
        Assert.That(
            Compare(["profile", "sim", "--kernel", "WarpProducts"], change),
            Does.Match(@"worse +attention_prefill, mma.sync +bank_conflicts.* 0 .*from none"));
    }

    [Test]
    public void A_spill_is_caught()
    {
        var change = ("gemv.cu", "kGemvBlocks = 2;", "kGemvBlocks = 4;");
        Assert.That(
            Compare(["profile", "static", "--arch", "sm_80", "--kernel", "gemv<weft::bf16,2"], change), Does.Match(@"worse +gemv +spill_store_bytes.* 0 .*from none"));
    }

    [TestCase("no-such-file.json", "no-such-file.json")]
    [TestCase("README.md", "is not a profile")]
    public void A_baseline_that_is_none_is_said(string file, string message)
    {
        var outcome = InProcess.Run("profile", "compare", Path.Combine(SharedData.Repository, file), Path.Combine(SharedData.Repository, "profiles", "sim.json"));
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain(message).And.Not.Contain("   at "));
        Assert.That(outcome.Out, Is.Empty);
    }

    [Test]
    public void Profiles_of_two_kinds_are_not_compared()
    {
        var profiles = Path.Combine(SharedData.Repository, "profiles");
        var outcome = InProcess.Run("profile", "compare", Path.Combine(profiles, "static.json"), Path.Combine(profiles, "sim.json"));
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain("the baseline is a static profile, the other a sim profile"));
    }

    [TestCase("profile", "compare")]
    [TestCase("profile", "compare", "one.json")]
    [TestCase("profile", "compare", "one.json", "two.json", "three.json")]
    public void Anything_but_two_files_is_refused(params string[] arguments)
    {
        var outcome = InProcess.Run(arguments);
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain("two files"));
    }

    /// <summary>What compare prints of the kernels as they are and with a change, after it was seen to fail and to pass where nothing changed.</summary>
    private string Compare(string[] profile, (string File, string Old, string New) change)
    {
        var source = Path.Combine(SharedData.Repository, "kernels");
        foreach (var file in Directory.EnumerateFiles(source, "*.cu*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(folder, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            var text = File.ReadAllText(file);
            File.WriteAllText(copy, Path.GetFileName(file) == change.File ? text.Replace(change.Old, change.New, StringComparison.Ordinal) : text);
            if (Path.GetFileName(file) == change.File)
                Assert.That(text, Does.Contain(change.Old));
        }

        var (from, to) = (Path.Combine(folder, "base.json"), Path.Combine(folder, "head.json"));
        var (markdown, junit) = (Path.Combine(folder, "table.md"), Path.Combine(folder, "junit.xml"));
        var first = WeftProcess.Run([.. profile, "--json", from], "", []);
        if (first.Error.Contains("cannot be compiled on this machine", StringComparison.Ordinal))
            Assert.Ignore(first.Error.Trim());
        Assert.That(first.ExitCode, Is.Zero, first.ToString());
        WeftProcess.Run([.. profile, "--json", to], "", [("WEFT_KERNELS", folder)]);
        var same = InProcess.Run("profile", "compare", from, from);
        Assert.That(same.ExitCode, Is.Zero, same.ToString());
        Assert.That(same.Out, Does.Contain("0 worse, 0 better"));

        var outcome = InProcess.Run("profile", "compare", from, to, "--markdown", markdown, "--junit", junit);
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(File.ReadAllText(markdown), Does.Contain("| worse |"));
        var suites = XDocument.Load(junit).Root!.Elements("testsuite").ToList();
        Assert.That(suites.Sum(suite => (int)suite.Attribute("failures")!), Is.EqualTo(suites.Descendants("failure").Count()).And.Positive);
        return outcome.Out;
    }
}
