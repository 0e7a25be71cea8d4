using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Weft.Load.Tests.Support;

/// <summary>
/// An OpenAI-compatible server as small as possible, on a socket: every byte and every moment is the test's. It lists one model and counts
/// the tokens of prompts by itself; requests for a stream go to the test.
/// </summary>
internal sealed class FakeServer : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentBag<Task> connections = [];
    private readonly List<FakeExchange> streams = [];
    private readonly Func<FakeExchange, Task> answer;
    private readonly Task accepting;
    private int inFlight;
    private int mostInFlight;

    public FakeServer(Func<FakeExchange, Task> answer)
    {
        this.answer = answer;
        listener.Start(backlog: 512);
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/");
        accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; }

    /// <summary>Whether its answers say how many tokens there were.</summary>
    public bool CountsTokens { get; init; } = true;

    /// <summary>Whether it refuses members that it does not know.</summary>
    public bool RefusesIgnoreEndOfSequence { get; init; }

    /// <summary>Requests for a stream, in order of arrival.</summary>
    public IReadOnlyList<FakeExchange> Streams
    {
        get
        {
            lock (streams)
                return [.. streams];
        }
    }

    /// <summary>Connections that clients opened.</summary>
    public int Connections => connections.Count;

    /// <summary>The most requests for a stream that were being answered at once.</summary>
    public int MostInFlight => mostInFlight;

    /// <summary>Tokens of a prompt: two a word, and three before them.</summary>
    public static int CountTokens(string prompt) => 2 * prompt.Split(' ').Length + 3;

    /// <summary>Goes away: breaks all connections and takes no new ones.</summary>
    public void GoAway()
    {
        stop.Cancel();
        listener.Stop();
    }

    public async ValueTask DisposeAsync()
    {
        GoAway();
        await accepting;
        await Task.WhenAll(connections);
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(stop.Token);
                client.NoDelay = true;
                connections.Add(Task.Run(() => ServeAsync(client)));
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // Stopped, while it waited or just before it would have.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var owned = client;
        try
        {
            var reader = new RequestReader(client.GetStream());
            while (await reader.ReadAsync(stop.Token) is { } request)
                await AnswerAsync(new FakeExchange(client, request, CountsTokens, stop.Token));
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The client has gone, or the test broke the connection.
        }
    }

    private async Task AnswerAsync(FakeExchange exchange)
    {
        if (exchange.Request.Path == "/v1/models")
        {
            await exchange.JsonAsync(200, """{"object":"list","data":[{"id":"fake","object":"model"},{"id":"other"}]}""");
        }
        else if (RefusesIgnoreEndOfSequence && exchange.Body.TryGetProperty("ignore_eos", out _))
        {
            await exchange.JsonAsync(400, """{"error":{"message":"Unrecognized request argument supplied: ignore_eos"}}""");
        }
        else if (!exchange.Body.GetProperty("stream").GetBoolean())
        {
            var usage = CountsTokens ? $$"""{"prompt_tokens":{{CountTokens(exchange.Prompt)}},"completion_tokens":1}""" : "null";
            await exchange.JsonAsync(200, $$"""{"choices":[{"text":"a"}],"usage":{{usage}}}""");
        }
        else
        {
            var now = Interlocked.Increment(ref inFlight);
            for (var most = mostInFlight; now > most; most = mostInFlight)
                Interlocked.CompareExchange(ref mostInFlight, now, most);
            lock (streams)
            {
                exchange.Number = streams.Count;
                streams.Add(exchange);
            }

            exchange.Answered = () => Interlocked.Decrement(ref inFlight);
            await answer(exchange);
        }
    }
}
