using System.Diagnostics;
using System.Net.Sockets;
using Weft.Reference;

namespace Weft.Extensions.AI.Tests;

/// <summary>The samples run as they are.</summary>
[TestFixture]
public sealed class SampleTests
{
    [Test]
    public async Task The_console_sample_writes_two_texts_and_their_similarity()
    {
        using var process = Start("Console", Bard.ChatFile);
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.That(process.ExitCode, Is.Zero, await process.StandardError.ReadToEndAsync());
        Assert.That(output, Does.Contain("ROMEO:").And.Contain("JULIET:").And.Match("similarity 0\\.[0-9]{3}"));
    }

    [Test]
    public async Task The_web_sample_streams_an_answer()
    {
        var address = $"http://127.0.0.1:{FreePort()}";
        using var process = Start("WebApi", "--Model", Bard.ChatFile, "--urls", address);
        try
        {
            using var client = new HttpClient();
            var answer = "";
            Assert.That(
                async () =>
                {
                    try
                    {
                        answer = await client.GetStringAsync($"{address}/ask?question=Who");
                    }
                    catch (HttpRequestException)
                    {
                        return false;
                    }

                    return answer.Length > 0;
                },
                Is.True.After(20_000, 100));
            Assert.That(answer, Does.StartWith("data: "));
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
        }
    }

    private static Process Start(string sample, params string[] arguments)
    {
        var program = Path.Combine(SharedData.Repository, "artifacts", "bin", sample, "release", $"Weft.Samples.{sample}.dll");
        return Process.Start(new ProcessStartInfo("dotnet", [program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }
}
