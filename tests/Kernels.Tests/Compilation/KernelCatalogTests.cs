using Weft.Backends.Cuda.Compilation;
using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
using Weft.Reference;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>The catalog against the kernels themselves.</summary>
[TestFixture]
public sealed class KernelCatalogTests
{
    private static readonly KernelSources Sources = KernelSources.FromFolder(Path.Combine(SharedData.Repository, "kernels"));

    private static IEnumerable<string> Files => Sources.Files;

    /// <summary>A twin of another size than the kernel's struct would pass garbage, silently.</summary>
    [TestCaseSource(nameof(Files))]
    public void A_parameter_struct_has_the_size_of_its_twin(string file)
    {
        var device = TestDevice.Open();
        // One of each kernel, and one over experts: what it takes does not depend on what else it is made for.
        var instances = KernelCatalog.For(device.Context.Device.ComputeCapability).Where(instance => instance.Source == file)
            .DistinctBy(instance => (instance.Expression.Split('<')[0], instance.Expression.Contains("ExpertRows", StringComparison.Ordinal))).ToList();
        device.Library.Load(instances);
        Assert.Multiple(() =>
        {
            foreach (var instance in instances)
                Assert.That(device.Library.Get(instance).ParameterBytes, Is.EqualTo(KernelCatalog.ParameterBytes(instance)), instance.Expression);
        });
    }

    [Test]
    public void Every_kernel_file_is_listed_for_every_architecture()
    {
        foreach (var architecture in KernelArchitecture.Checked)
            Assert.That(KernelCatalog.For(architecture.Number).Select(instance => instance.Source).Distinct(), Is.EquivalentTo(Files), architecture.Name);
    }

    [Test]
    public void Instances_are_listed_once() => Assert.That(KernelCatalog.For(90), Is.Unique);

    [Test]
    public void Before_sm_80_there_is_no_bf16()
    {
        Assert.That(KernelCatalog.For(75).Select(instance => instance.Expression), Has.None.Contains("bf16"));
        Assert.That(KernelCatalog.For(80).Select(instance => instance.Expression), Has.Some.Contains("bf16"));
    }
}
