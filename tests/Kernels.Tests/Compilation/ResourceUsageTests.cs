using Weft.Profile.Static;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>The assembler's <c>-v</c>, as NVRTC 12.4 prints it.</summary>
[TestFixture]
public sealed class ResourceUsageTests
{
    private const string Log = """
        ptxas info    : 20 bytes gmem
        ptxas info    : Compiling entry function '_ZN4weft1kINS_4bf16EEEvNS_1PE' for 'sm_90a'
        ptxas info    : Function properties for _ZN4weft1kINS_4bf16EEEvNS_1PE
        ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
        ptxas info    : Used 16 registers, 2 barriers
        ptxas info    : Compiling entry function '_ZN4weft2k2INS_3f16EEEvNS_1PE' for 'sm_80'
        ptxas info    : Function properties for _ZN4weft2k2INS_3f16EEEvNS_1PE
            2000 bytes stack frame, 24 bytes spill stores, 48 bytes spill loads
        ptxas info    : Function properties for __internal_trig_reduction_slowpathf
            40 bytes stack frame, 0 bytes spill stores, 4 bytes spill loads
        ptxas info    : Used 255 registers, 2000 bytes cumulative stack size, 1024 bytes smem, 384 bytes cmem[0], 8 bytes cmem[2]

        """;

    [Test]
    public void Every_kernel_of_a_log_is_read()
    {
        var usages = ResourceUsage.Parse(Log);
        Assert.That(usages, Has.Count.EqualTo(2));
        Assert.That(usages["_ZN4weft1kINS_4bf16EEEvNS_1PE"], Is.EqualTo(new ResourceUsage(16, 0, 0, 0, 0)));
        Assert.That(usages["_ZN4weft2k2INS_3f16EEEvNS_1PE"], Is.EqualTo(new ResourceUsage(255, 2040, 24, 52, 1024)));
    }

    [Test]
    public void Spills_are_told()
    {
        var usages = ResourceUsage.Parse(Log);
        Assert.That(usages["_ZN4weft1kINS_4bf16EEEvNS_1PE"].Spills, Is.False);
        Assert.That(usages["_ZN4weft2k2INS_3f16EEEvNS_1PE"].Spills, Is.True);
    }

    [Test]
    public void A_log_without_kernels_gives_none() => Assert.That(ResourceUsage.Parse("x.cu(3): warning #177-D: unused\n"), Is.Empty);
}
