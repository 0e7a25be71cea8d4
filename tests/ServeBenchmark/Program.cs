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

// Rounds of all three in turn. The first do not count: while they run, the runtime compiles what is called often once more, with all optimisations.
const int Uncounted = 3, Counted = 5;
var firsts = new List<TimeSpan>();
for (var round = 0; round < Uncounted + Counted; round++)
{
    var first = await Repeat(300, () => TimeAsync(1));
    var whole = await Repeat(40, () => TimeAsync(2000));
    var many = await ManyAsync(1000, 200);
    var name = round < Uncounted ? "warm-up" : "round";
    Console.WriteLine(
        $"{name}: first token {Median(first).TotalMicroseconds:F0} µs, p95 {first[285].TotalMicroseconds:F0} µs; a token {Median(whole).TotalMicroseconds / 2000:F2} µs; 1000 streams {many:F0} tokens/s");
    if (round >= Uncounted)
        firsts.AddRange(first);
}

firsts.Sort();
Console.WriteLine($"time to first token, batch 1, all counted rounds: median {Median(firsts).TotalMicroseconds:F0} µs");
return 0;

static TimeSpan Median(List<TimeSpan> sorted) => sorted[sorted.Count / 2];

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

// Tokens a second over all streams.
async Task<double> ManyAsync(int streams, int tokens)
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
    connections.ForEach(connection => connection.Dispose());
    return streams * tokens / time.TotalSeconds;
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
