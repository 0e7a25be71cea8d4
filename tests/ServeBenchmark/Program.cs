using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Weft;
using Weft.Daemon.Hosting;
using Weft.Reference;
using Weft.Weights;

// What the server costs by itself: requests over HTTP to a device that answers at once, in one process with clients that do as little as they
// can. Argument: a packed model, whose tokenizer makes text of the stub's tokens.
if (args is not [var path])
{
    Console.Error.WriteLine("usage: ServeBenchmark MODEL.weft");
    return 2;
}

using var file = WeftFile.Open(path);
var tokenizer = Weft.Tokenizers.Tokenizer.Create(file.Header.Tokenizer!);
const int Context = 4096;
using var program = new StubProgram(tokenizer.VocabularySize, 2048, 1024, Context / 16);
using var engine = new Engine(program.ForEngine(64 * 1024, Context, tokenizer), new() { ModelName = "stub" });
await using var server = await DaemonServer.StartAsync(new DaemonOptions { Port = 0, LogLevel = LogLevel.None }, [], new(), default);
server.Open([new("stub", engine, tokenizer, null, new(), new(Context, tokenizer.VocabularySize, 0, 0, "", "stub", null, "", "", 2, ""))]);
var address = new Uri(server.Address);

for (var round = 0; round < 4; round++)
{
    var first = await Repeat(300, () => TimeAsync(1));
    var whole = await Repeat(40, () => TimeAsync(2000));
    Console.WriteLine($"time to first token, batch 1: median {first[150].TotalMicroseconds:F0} µs, p95 {first[285].TotalMicroseconds:F0} µs");
    Console.WriteLine($"a token, batch 1: median {whole[20].TotalMicroseconds / 2000:F2} µs");
    await ManyAsync(1000, 200);
}

return 0;

async Task<List<TimeSpan>> Repeat(int count, Func<Task<TimeSpan>> measure)
{
    var times = new List<TimeSpan>();
    for (var i = 0; i < count; i++)
        times.Add(await measure());
    times.Sort();
    return times;
}

// From the request to the first event, or to the end of as many tokens.
async Task<TimeSpan> TimeAsync(int tokens)
{
    using var connection = await ConnectAsync();
    await connection.SendAsync(Request(1));
    await ReadToEndAsync(connection);
    var start = Stopwatch.GetTimestamp();
    await connection.SendAsync(Request(tokens));
    if (tokens == 1)
        await ReadToFirstAsync(connection);
    else
        await ReadToEndAsync(connection);
    return Stopwatch.GetElapsedTime(start);
}

async Task ManyAsync(int streams, int tokens)
{
    var connections = new List<Socket>();
    for (var i = 0; i < streams; i++)
        connections.Add(await ConnectAsync());
    var start = Stopwatch.GetTimestamp();
    await Task.WhenAll(connections.Select(async connection =>
    {
        await connection.SendAsync(Request(tokens));
        await ReadToEndAsync(connection);
    }));
    var time = Stopwatch.GetElapsedTime(start);
    Console.WriteLine($"{streams} streams of {tokens} tokens: {streams * tokens / time.TotalSeconds:F0} tokens/s in {time.TotalSeconds:F2} s");
    connections.ForEach(connection => connection.Dispose());
}

async Task<Socket> ConnectAsync()
{
    var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    await socket.ConnectAsync(address.Host, address.Port);
    return socket;
}

byte[] Request(int tokens)
{
    var body = $$"""{"prompt":[5,6,7],"max_tokens":{{tokens}},"stream":true,"ignore_eos":true}""";
    return Encoding.ASCII.GetBytes($"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
}

static async Task ReadToFirstAsync(Socket socket)
{
    var buffer = new byte[65536];
    var count = 0;
    while (buffer.AsSpan(0, count).IndexOf("data: {"u8) < 0)
        count += await ReceiveAsync(socket, buffer.AsMemory(count));
}

static async Task ReadToEndAsync(Socket socket)
{
    var buffer = new byte[65536];
    var kept = 0;
    while (true)
    {
        var count = kept + await ReceiveAsync(socket, buffer.AsMemory(kept));
        if (buffer.AsSpan(0, count).EndsWith("\r\n0\r\n\r\n"u8))
            return;
        kept = Math.Min(count, 7);
        buffer.AsSpan(count - kept, kept).CopyTo(buffer);
    }
}

static async Task<int> ReceiveAsync(Socket socket, Memory<byte> buffer)
{
    var count = await socket.ReceiveAsync(buffer);
    if (count == 0)
        throw new InvalidOperationException("the server ended the connection in the middle of an answer");
    return buffer.Span[..count].IndexOf("HTTP/1.1 4"u8) < 0 ? count : throw new InvalidOperationException(Encoding.UTF8.GetString(buffer.Span[..count]));
}
