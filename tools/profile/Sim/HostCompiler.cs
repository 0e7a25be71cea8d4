using System.Diagnostics;

namespace Weft.Profile.Sim;

/// <summary>The compiler that the software device compiles kernels with: what it makes of a loop is in the counters.</summary>
internal static class HostCompiler
{
    /// <summary><c>g++ 12.2.0</c>.</summary>
    /// <exception cref="WeftException">It is missing.</exception>
    public static string Version()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("g++", "-dumpfullversion") { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var version = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            return $"g++ {version}";
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            throw new WeftException("g++ was not found: the software CUDA device compiles kernels with it", failure);
        }
    }
}
