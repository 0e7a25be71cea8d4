using System.Diagnostics;
using Weft.Daemon.Tests.Support;
using Weft.Reference;

namespace Weft.Daemon.Tests;

/// <summary>JavaScript clients of OpenAI and Ollama, and curl, against the server, unchanged.</summary>
[TestFixture]
public sealed class NodeClientTests
{
    private static readonly Lazy<string> Folder = new(Install);

    [TestCase("openai.js", 8)]
    [TestCase("ollama.js", 6)]
    public async Task A_client_gets_what_it_expects(string script, int checks)
    {
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => Thread.Sleep(1));
        var expected = TestServer.StubText(Bard.Tokenizer.Encode("USER:\nHello\n\nASSISTANT:\n", false), 12);
        var (code, output) = Run("node", [Path.Combine(Folder.Value, script), server.Server.Address, expected], Folder.Value);
        Assert.That(code, Is.Zero, output);
        Assert.That(output.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(checks), output);
        server.ShouldBecomeIdle();
    }

    [Test]
    public async Task Curl_streams_and_sees_errors()
    {
        await using var server = await TestServer.WithStubAsync();
        var address = server.Server.Address;
        var (code, output) = Run("curl", ["-sSN", $"{address}/v1/completions", "-d", """{"prompt":"a","max_tokens":4,"stream":true}"""], Path.GetTempPath());
        Assert.That(code, Is.Zero, output);
        Assert.That(output.TrimEnd(), Does.StartWith("data: {").And.EndsWith("data: [DONE]"));
        (code, output) = Run("curl", ["-sS", "-o", "/dev/null", "-w", "%{http_code}", $"{address}/v1/completions", "-d", "{"], Path.GetTempPath());
        Assert.That((code, output), Is.EqualTo((0, "400")));
    }

    /// <summary>The clients' packages, in a folder of the build's that is kept.</summary>
    private static string Install()
    {
        var folder = Path.Combine(SharedData.Repository, "artifacts", "clients");
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(SharedData.Repository, "tests", "Daemon.Tests", "Clients")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        try
        {
            var (code, output) = Run("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline"], folder);
            if (code != 0)
                Assert.Ignore($"npm cannot install the clients: {output}");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Ignore("there is no node with npm");
        }

        return folder;
    }

    private static (int Code, string Output) Run(string command, string[] arguments, string folder)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (!process.WaitForExit(TimeSpan.FromMinutes(2)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{command} does not end");
        }

        return (process.ExitCode, output.Result + error.Result);
    }
}
