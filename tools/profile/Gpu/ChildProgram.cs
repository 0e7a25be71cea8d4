using System.Diagnostics;

namespace Weft.Profile.Gpu;

/// <summary>Runs a program beside this one to its end.</summary>
internal static class ChildProgram
{
    /// <summary>This program again.</summary>
    public static (string Program, IReadOnlyList<string> Arguments) Self
    {
        get
        {
            var path = Environment.ProcessPath ?? throw new WeftException("the operating system does not say where this program lies");
            return Path.GetFileNameWithoutExtension(path) == "dotnet" ? (path, [Environment.GetCommandLineArgs()[0]]) : (path, []);
        }
    }

    /// <summary>Runs and waits.</summary>
    /// <param name="program">Path or name.</param>
    /// <param name="arguments">Arguments.</param>
    /// <param name="environment">Variables beside those of this process.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Exit code and all that it wrote.</returns>
    /// <exception cref="WeftException">It cannot be started.</exception>
    public static (int ExitCode, string Output) Run(
        string program, IEnumerable<string> arguments, IEnumerable<(string Name, string Value)> environment, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = new Process { StartInfo = start };
        var lines = new List<string>();
        void Keep(object sender, DataReceivedEventArgs line)
        {
            lock (lines)
                lines.Add(line.Data ?? "");
        }

        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        try
        {
            process.Start();
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            throw new WeftException($"{program}: {failure.Message}", failure);
        }

        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var stop = cancellationToken.Register(() => process.Kill(entireProcessTree: true));
        process.WaitForExit();
        cancellationToken.ThrowIfCancellationRequested();
        return (process.ExitCode, string.Join('\n', lines));
    }
}
