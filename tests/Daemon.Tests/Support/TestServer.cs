using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Weft.Chat;
using Weft.Daemon.Hosting;
using Weft.Daemon.Models;
using Weft.Models;
using Weft.Reference;

namespace Weft.Daemon.Tests.Support;

/// <summary>A server of this process with a client for it: over the demo model, or over a device that answers at once and does as it is told.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public const string ModelName = "bard";

    private readonly Engine? owned;

    private TestServer(DaemonServer server, Engine? owned = null)
    {
        Server = server;
        this.owned = owned;
        // A stream that is closed closes its connection, as it does when a client ends.
        Client = new HttpClient(new SocketsHttpHandler { ResponseDrainTimeout = TimeSpan.Zero }) { BaseAddress = new Uri(server.Address), Timeout = TimeSpan.FromSeconds(60) };
    }

    public DaemonServer Server { get; }

    public HttpClient Client { get; }

    /// <summary>The engine of its model.</summary>
    public Engine Engine => Server.Models[0].Engine;

    /// <summary>Serves the demo model.</summary>
    public static async Task<TestServer> WithBardAsync(DaemonOptions? options = null, EngineOptions? engine = null, int maxSequences = 16, int cacheTokens = 0, string template = Bard.Template)
    {
        ModelSource source = new(ModelName, () => Model.Load(Bard.File, new() { MaxSequences = maxSequences, CacheTokens = cacheTokens }), template);
        var server = await DaemonServer.StartAsync(Quiet(options), [source], engine ?? new(), default);
        await server.Ready;
        return new(server);
    }

    /// <summary>Serves a stub with the demo model's tokenizer.</summary>
    public static async Task<TestServer> WithStubAsync(
        Action<StubProgram>? configure = null, DaemonOptions? options = null, EngineOptions? engineOptions = null, int maxSequences = 16, int blocks = 400, int context = 1000)
    {
        var server = await DaemonServer.StartAsync(Quiet(options), [], new(), default);
        var program = new StubProgram(Bard.Tokenizer.VocabularySize, 512, maxSequences, (context + 15) / 16);
        configure?.Invoke(program);
        var engine = new Engine(program.ForEngine(blocks, context, Bard.Tokenizer), engineOptions ?? new() { ModelName = ModelName });
        GenerationDefaults defaults = new() { BosToken = 0, EosTokens = [2] };
        server.Open([new(ModelName, engine, Bard.Tokenizer, new ChatPrompter(ChatTemplate.Parse(Bard.Template), Bard.Tokenizer, defaults), defaults,
            new(context, Bard.Tokenizer.VocabularySize, 5_000_000, 10_000_000, "bf16", "stub", Bard.Template, "", "Stub", 2, new string('0', 64)))]);
        return new(server, engine);
    }

    /// <summary>The text that the stub generates after a prompt.</summary>
    public static string StubText(int[] prompt, int count)
    {
        var (tokens, last) = (new List<int>(), prompt[^1]);
        for (var position = prompt.Length - 1; tokens.Count < count; position++)
            tokens.Add(last = StubProgram.Next(last, position, Bard.Tokenizer.VocabularySize));
        return Bard.Tokenizer.Decode([.. tokens]);
    }

    /// <summary>Sends a body as it is.</summary>
    public Task<HttpResponseMessage> PostAsync(string path, string body, CancellationToken cancellation = default)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        return Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
    }

    /// <summary>Sends a body and reads the answer's JSON.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Json)> PostJsonAsync(string path, string body)
    {
        using var response = await PostAsync(path, body);
        return (response.StatusCode, await JsonAsync(response));
    }

    public async Task<JsonElement> GetJsonAsync(string path)
    {
        using var response = await Client.GetAsync(path);
        return await JsonAsync(response);
    }

    /// <summary>The data of all events of a stream.</summary>
    public async Task<IReadOnlyList<string>> StreamAsync(string path, string body)
    {
        using var response = await PostAsync(path, body);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), await response.Content.ReadAsStringAsync());
        Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/event-stream"));
        var text = await response.Content.ReadAsStringAsync();
        Assert.That(text, Does.EndWith("\n\n"));
        return [.. text[..^2].Split("\n\n").Where(line => !line.StartsWith(':')).Select(line => line["data: ".Length..])];
    }

    public static async Task<JsonElement> JsonAsync(HttpResponseMessage response)
    {
        using var document = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());
        return document.RootElement.Clone();
    }

    /// <summary>Waits until the engine has nothing left.</summary>
    public void ShouldBecomeIdle() =>
        Assert.That(() => Engine.Statistics is { Running: 0, Waiting: 0, UsedBlocks: 0 }, Is.True.After(20_000, 5), "the engine still has requests");

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        owned?.Dispose();
        await Server.DisposeAsync();
    }

    /// <summary>A connection below HTTP, for what a client of HTTP would not send.</summary>
    public async Task<NetworkStream> ConnectAsync()
    {
        var address = new Uri(Server.Address);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(address.Host, address.Port);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private static DaemonOptions Quiet(DaemonOptions? options) => (options ?? new()) with { Port = 0, LogLevel = LogLevel.None, Version = "1.2.3" };
}
