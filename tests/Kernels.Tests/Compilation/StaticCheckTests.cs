using Weft.Backends.Cuda.Kernels;
using Weft.Profile.Static;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>What the static check lets pass.</summary>
[TestFixture]
public sealed class StaticCheckTests
{
    private static readonly KernelInstance Instance = KernelCatalog.For(80).First();
    private static readonly ResourceUsage Good = new(KernelCatalog.MostRegisters(Instance), 40, 0, 0, 0);

    [Test]
    public void An_instance_within_its_bounds_passes() => Assert.That(StaticCheck.Judge(Instance, Good).Failure, Is.Null);

    [Test]
    public void Spills_fail()
    {
        Assert.That(StaticCheck.Judge(Instance, Good with { SpillStoreBytes = 8 }).Failure, Does.Contain("spills 8 bytes"));
        Assert.That(StaticCheck.Judge(Instance, Good with { SpillLoadBytes = 4 }).Failure, Does.Contain("loads 4"));
    }

    [Test]
    public void Too_many_registers_fail() =>
        Assert.That(StaticCheck.Judge(Instance, Good with { Registers = Good.Registers + 1 }).Failure, Does.Contain("registers"));

    [Test]
    public void Static_shared_memory_fails() =>
        Assert.That(StaticCheck.Judge(Instance, Good with { StaticSharedBytes = 16 }).Failure, Does.Contain("static shared"));

    [Test]
    public void An_instance_that_the_assembler_does_not_mention_fails() => Assert.That(StaticCheck.Judge(Instance, null).Failure, Is.Not.Null);
}
