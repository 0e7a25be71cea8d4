using System.Diagnostics;
using Weft.Interop;
using Weft.Kernels.Tests.Support;

namespace Weft.Kernels.Tests.Compilation;

/// <summary>The kernel tests once more on the GPU of this machine, in a process of its own: this one has the software device's libraries.</summary>
[TestFixture]
public sealed class GpuTests
{
    [Test]
    public void Every_kernel_test_passes_on_a_gpu()
    {
        if (!TestDevice.IsSimulator)
            Assert.Ignore("these are the tests on the GPU");
        if (CudaLibraries.Probe()[0].Path is null)
            Assert.Ignore("this machine has no CUDA driver: the kernels ran on the software device only");
        var start = new ProcessStartInfo("dotnet", ["test", typeof(GpuTests).Assembly.Location]) { RedirectStandardOutput = true };
        start.Environment["WEFT_DEVICE"] = "cuda";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, output);
    }
}
