using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Weft.Load.Tests.Support;

/// <summary>A request at the fake server, and what it answers.</summary>
internal sealed class FakeExchange(TcpClient client, FakeRequest request, bool countsTokens, CancellationToken stop)
{
    private readonly NetworkStream stream = client.GetStream();
    private readonly Lazy<JsonElement> body = new(() => JsonSerializer.Deserialize<JsonElement>(request.Body));

    /// <summary>Its place among the requests for a stream.</summary>
    public int Number { get; set; }

    /// <summary>What the client sent.</summary>
    public FakeRequest Request { get; } = request;

    /// <summary>When it was read, as a timestamp.</summary>
    public long Arrived { get; } = Stopwatch.GetTimestamp();

    /// <summary>When chunks with text were sent, as timestamps.</summary>
    public List<long> Sent { get; } = [];

    /// <summary>Set when the server stops.</summary>
    public CancellationToken Stop { get; } = stop;

    /// <summary>Called when the answer is complete but for its last bytes.</summary>
    public Action Answered { get; set; } = () => { };

    /// <summary>The body.</summary>
    public JsonElement Body => body.Value;

    /// <summary>The prompt, whichever the route.</summary>
    public string Prompt => Body.TryGetProperty("messages", out var messages)
        ? messages[0].GetProperty("content").GetString()!
        : Body.GetProperty("prompt").GetString()!;

    /// <summary>Tokens asked for.</summary>
    public int MaxTokens => Body.GetProperty("max_tokens").GetInt32();

    /// <summary>Answers with a document.</summary>
    public Task JsonAsync(int status, string json, string type = "application/json")
    {
        Answered();
        return WriteAsync($"HTTP/1.1 {status} Status\r\nContent-Type: {type}\r\nContent-Length: {Encoding.UTF8.GetByteCount(json)}\r\n\r\n{json}");
    }

    /// <summary>Begins a stream.</summary>
    public Task BeginAsync() => WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n");

    /// <summary>Sends an event.</summary>
    public Task EventAsync(string data)
    {
        var line = $"data: {data}\n\n";
        return WriteAsync(string.Create(CultureInfo.InvariantCulture, $"{Encoding.UTF8.GetByteCount(line):x}\r\n{line}\r\n"));
    }

    /// <summary>Sends a chunk with text.</summary>
    public Task TextAsync(string text)
    {
        Sent.Add(Stopwatch.GetTimestamp());
        return EventAsync($$"""{"id":"cmpl-1","object":"text_completion","choices":[{"index":0,"text":"{{text}}","finish_reason":null}],"usage":null}""");
    }

    /// <summary>Sends the finish reason, the usage (where the server counts) and the end.</summary>
    public async Task EndAsync(int? tokens = null)
    {
        await EventAsync("""{"choices":[{"index":0,"text":"","finish_reason":"length"}],"usage":null}""");
        if (countsTokens)
            await EventAsync($$$"""{"choices":[],"usage":{"prompt_tokens":{{{FakeServer.CountTokens(Prompt)}}},"completion_tokens":{{{tokens ?? Sent.Count}}},"total_tokens":0}}""");
        Answered();
        await EventAsync("[DONE]");
        await CloseStreamAsync();
    }

    /// <summary>Ends the stream without a word.</summary>
    public Task CloseStreamAsync() => WriteAsync("0\r\n\r\n");

    /// <summary>A whole answer: as many chunks as tokens were asked for, the first after one time, each other after another.</summary>
    public async Task AnswerAsync(TimeSpan first = default, TimeSpan gap = default)
    {
        await BeginAsync();
        for (var i = 0; i < MaxTokens; i++)
        {
            await WaitAsync(i == 0 ? first : gap);
            await TextAsync(" word");
        }

        await EndAsync();
    }

    /// <summary>Waits no less than a time: timers count coarse ticks, and may be early by one.</summary>
    public async Task WaitAsync(TimeSpan time)
    {
        var start = Stopwatch.GetTimestamp();
        while (time - Stopwatch.GetElapsedTime(start) is var left && left > TimeSpan.Zero)
            await Task.Delay(left < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : left, Stop);
    }

    /// <summary>Breaks the connection.</summary>
    public void Break()
    {
        Answered();
        client.Client.Close(0);
    }

    private async Task WriteAsync(string text) => await stream.WriteAsync(Encoding.UTF8.GetBytes(text), Stop);
}
