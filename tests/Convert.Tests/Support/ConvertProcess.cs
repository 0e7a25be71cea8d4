using System.Diagnostics;

namespace Weft.Convert.Tests.Support;

/// <summary>The converter's executable, run as a process of its own.</summary>
internal static class ConvertProcess
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Runs to the end.</summary>
    public static (int ExitCode, string Out, string Error) Run(params string[] arguments)
    {
        using var process = Start(arguments);
        return Finish(process);
    }

    /// <summary>Starts without waiting.</summary>
    public static Process Start(params string[] arguments)
    {
        var program = Path.Combine(TestContext.CurrentContext.TestDirectory, "Weft.Convert.dll");
        return Process.Start(new ProcessStartInfo("dotnet", [program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
    }

    /// <summary>Waits for the end and collects the output.</summary>
    public static (int ExitCode, string Out, string Error) Finish(Process process)
    {
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (!process.WaitForExit(Limit))
        {
            process.Kill();
            Assert.Fail($"the converter did not end within {Limit}");
        }

        return (process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Sends what Ctrl-C sends.</summary>
    public static void Interrupt(Process process)
    {
        using var kill = Process.Start("kill", ["-INT", $"{process.Id}"]);
        kill.WaitForExit();
    }
}
