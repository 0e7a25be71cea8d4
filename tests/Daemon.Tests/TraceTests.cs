using System.Net;
using System.Net.Sockets;
using System.Text;
using Weft.Daemon.Tests.Support;

namespace Weft.Daemon.Tests;

/// <summary>Traces arrive at a collector.</summary>
[TestFixture]
public sealed class TraceTests
{
    [Test]
    public async Task A_request_is_a_span_of_the_clients_trace_with_its_parts_and_no_text()
    {
        var port = FreePort();
        using var collector = new HttpListener { Prefixes = { $"http://127.0.0.1:{port}/" } };
        collector.Start();
        var received = Task.Run(async () =>
        {
            var context = await collector.GetContextAsync();
            using var body = new MemoryStream();
            await context.Request.InputStream.CopyToAsync(body);
            context.Response.Close();
            return (context.Request.Url!.AbsolutePath, Body: body.ToArray());
        });
        const string Trace = "0af7651916cd43dd8448eb211c80319c";
        await using (var server = await TestServer.WithStubAsync(options: new() { TraceEndpoint = new($"http://127.0.0.1:{port}") }))
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = new StringContent("""{"prompt":"Wherefore","max_tokens":5}""") };
            request.Headers.Add("traceparent", $"00-{Trace}-b7ad6b7169203331-01");
            using var response = await server.Client.SendAsync(request);
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        }

        // The server's end sends what is left.
        var (path, bytes) = await received.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.That(path, Is.EqualTo("/v1/traces"));
        Assert.That(bytes.AsSpan().IndexOf(System.Convert.FromHexString(Trace)), Is.Positive);
        var text = Encoding.Latin1.GetString(bytes);
        foreach (var part in new[] { "POST /v1/completions", "queue", "prefill", "decode", "gen_ai.usage.output_tokens", "weft" })
            Assert.That(text, Does.Contain(part));
        Assert.That(text, Does.Not.Contain("Wherefore"));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
