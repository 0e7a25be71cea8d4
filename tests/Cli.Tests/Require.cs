using Weft.Interop;
using Weft.Reference;

namespace Weft.Cli.Tests;

/// <summary>What a test needs and not every machine has: without it the test is skipped, with the reason.</summary>
internal static class Require
{
    /// <summary>The software CUDA device.</summary>
    public static void Simulator()
    {
        if (CudaLibraries.Probe()[^1].Path is null)
            Assert.Ignore("the software CUDA device is not built");
    }

    /// <summary>The folder of a reference checkpoint.</summary>
    public static string Golden(string name)
    {
        if (SharedData.TryFind($"goldens/{name}") is { } path)
            return path;
        Assert.Ignore($"there is no goldens/{name}");
        return "";
    }
}
