using System.Diagnostics;
using Weft.Reference;

namespace Weft.Cli.Tests;

/// <summary>What a finished command line left behind.</summary>
internal sealed record Outcome(int ExitCode, string Out, string Error)
{
    /// <summary>Everything, for failure messages.</summary>
    public override string ToString() => $"exit code {ExitCode}\n--- stdout\n{Out}\n--- stderr\n{Error}";
}

/// <summary>Runs the built command line as a process of its own, with a cache folder that no other run sees.</summary>
internal static class WeftProcess
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <summary>The small model of the repository.</summary>
    public static string Bard { get; } = Path.Combine(SharedData.Repository, "models", "bard");

    /// <summary>Runs to the end without input.</summary>
    public static Outcome Run(params string[] arguments) => Run(arguments, "");

    /// <summary>Runs to the end.</summary>
    public static Outcome Run(string[] arguments, string input, params (string Name, string? Value)[] environment)
    {
        using var process = Start(arguments, environment);
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        return Finish(process);
    }

    /// <summary>Starts without waiting.</summary>
    public static Process Start(string[] arguments, params (string Name, string? Value)[] environment)
    {
        var program = Path.Combine(TestContext.CurrentContext.TestDirectory, "weft.dll");
        return StartCommand("dotnet", [program, .. arguments], [("XDG_CACHE_HOME", TestModels.CacheRoot), .. environment]);
    }

    /// <summary>Starts any command with all streams redirected.</summary>
    public static Process StartCommand(string command, string[] arguments, params (string Name, string? Value)[] environment)
    {
        var start = new ProcessStartInfo(command, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = SharedData.Repository,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>Waits for the end and collects the output.</summary>
    public static Outcome Finish(Process process)
    {
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"did not end within {Limit}: {process.StartInfo.Arguments}");
        }

        return new(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Sends what Ctrl-C sends.</summary>
    public static void Interrupt(Process process)
    {
        using var kill = Process.Start("kill", ["-INT", $"{process.Id}"]);
        kill.WaitForExit();
    }
}
