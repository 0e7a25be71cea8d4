using Weft.Backends.Cuda.Compilation;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>Which code is asked for on which device.</summary>
[TestFixture]
public sealed class KernelArchitectureTests
{
    private static readonly int[] Nvrtc11 = [35, 50, 52, 60, 61, 70, 72, 75, 80, 86, 87];
    private static readonly int[] Nvrtc12 = [50, 52, 53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90];
    private static readonly int[] Nvrtc13 = [75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121];

    [TestCase(75, "sm_75")]
    [TestCase(80, "sm_80")]
    [TestCase(86, "sm_86")]
    [TestCase(89, "sm_89")]
    [TestCase(90, "sm_90a")]
    public void A_known_architecture_gets_machine_code(int number, string name)
    {
        Assert.That(new KernelArchitecture(number).Option(Nvrtc12), Is.EqualTo("--gpu-architecture=" + name));
        Assert.That(KernelArchitecture.TryParse(name, out var parsed), Is.True);
        Assert.That(parsed, Is.EqualTo(new KernelArchitecture(number)));
        Assert.That(parsed.Name, Is.EqualTo(name));
    }

    [TestCase(89, 11, "compute_87")]
    [TestCase(90, 11, "compute_87")]
    [TestCase(100, 12, "compute_90")]
    [TestCase(120, 12, "compute_90")]
    [TestCase(88, 12, "compute_87")]
    [TestCase(130, 13, "compute_121")]
    public void A_newer_one_gets_the_newest_PTX_before_it(int number, int version, string expected) =>
        Assert.That(new KernelArchitecture(number).Option(Known(version)), Is.EqualTo("--gpu-architecture=" + expected));

    [Test]
    public void The_blackwells_of_NVRTC_13_get_machine_code() =>
        Assert.That(new KernelArchitecture(120).Option(Nvrtc13), Is.EqualTo("--gpu-architecture=sm_120"));

    [TestCase(70, "7.5 (Turing) is the oldest|7.0")]
    [TestCase(61, "--device cpu|6.1")]
    public void An_older_one_is_refused(int number, string words)
    {
        var failure = Assert.Throws<WeftException>(() => new KernelArchitecture(number).Option(Nvrtc12))!;
        foreach (var word in words.Split('|'))
            Assert.That(failure.Message, Does.Contain(word));
    }

    [Test]
    public void A_compiler_without_any_before_it_is_named() => Assert.That(
        () => new KernelArchitecture(75).Option([80, 90]), Throws.TypeOf<WeftException>().With.Message.Contains("newer NVRTC").Or.Message.Contains("cannot compile for it"));

    [TestCase("")]
    [TestCase("sm_")]
    [TestCase("sm_a")]
    [TestCase("90a")]
    [TestCase("sm_86a")]
    [TestCase("sm_+86")]
    [TestCase("compute_80")]
    public void Other_words_are_no_architecture(string text) => Assert.That(KernelArchitecture.TryParse(text, out _), Is.False);

    private static int[] Known(int version) => version switch { 11 => Nvrtc11, 12 => Nvrtc12, _ => Nvrtc13 };
}
