using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Weft.Daemon.Tests.Support;

namespace Weft.Daemon.Tests;

/// <summary>
/// A crowd of good, slow, rude and vanishing clients over the demo model for a minute, or as long as WEFT_SOAK_MINUTES says: no request is
/// stuck, nothing leaks, the server is well throughout, and at temperature 0 every answer is the one that the same request gets alone.
/// </summary>
[TestFixture]
public sealed class SoakTests
{
    private const int Clients = 24;
    private static readonly TimeSpan Stuck = TimeSpan.FromSeconds(60);

    private readonly ConcurrentDictionary<string, int> counts = new();
    private readonly ConcurrentBag<string> mistakes = [];
    private readonly Dictionary<string, string> alone = [];
    private TestServer server = null!;

    [Test]
    public async Task A_crowd_of_all_kinds_of_clients_leaves_nothing_behind()
    {
        var minutes = double.TryParse(Environment.GetEnvironmentVariable("WEFT_SOAK_MINUTES"), CultureInfo.InvariantCulture, out var given) ? given : 1;
        await using (server = await TestServer.WithBardAsync(engine: new() { MaxWaiting = 64 }, maxSequences: 12, cacheTokens: 600))
        {
            for (var i = 0; i < 8; i++)
                alone[Prompt(i)] = await TextAsync(Prompt(i), 20 + (i * 10));
            var clock = Stopwatch.StartNew();
            var end = TimeSpan.FromMinutes(minutes);
            var crowd = Enumerable.Range(0, Clients).Select(seed => Task.Run(() => LiveAsync(new Random(seed), clock, end))).ToList();
            var health = Task.Run(() => WatchAsync(clock, end));
            await Task.Delay(end / 4);
            var before = Memory();
            await Task.WhenAll(crowd.Append(health));
            server.ShouldBecomeIdle();
            var after = Memory();
            var statistics = server.Engine.Statistics;
            TestContext.Out.WriteLine(
                $"{minutes} min, {Clients} clients: {string.Join(", ", counts.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => $"{entry.Value} {entry.Key}"))}; "
                + $"{statistics.Steps} steps, {statistics.Preemptions} preemptions, {100.0 * statistics.PrefixHits / statistics.PrefixQueries:F0}% of prompts from the cache; "
                + $"heap {before >> 20} MiB after a quarter, {after >> 20} MiB at the end; all {statistics.CacheBlocks} blocks free");
            Assert.That(mistakes, Is.Empty);
            Assert.That(counts["good"], Is.GreaterThan(50));
            Assert.That(counts["healthy"], Is.GreaterThan(10));
            Assert.That(after, Is.LessThan(before + (24 << 20)), "memory grows");
        }
    }

    private static string Prompt(int i) => $"ROMEO:\nWhat light is this, number {i}, that";

    /// <summary>One client after the other, until the end.</summary>
    private async Task LiveAsync(Random random, Stopwatch clock, TimeSpan end)
    {
        while (clock.Elapsed < end)
        {
            using var patience = new CancellationTokenSource(Stuck);
            try
            {
                await ActAsync(random, patience.Token);
            }
            catch (OperationCanceledException) when (!patience.IsCancellationRequested)
            {
                Count("cancelled");
            }
            catch (Exception failure)
            {
                mistakes.Add($"{(patience.IsCancellationRequested ? "stuck: " : "")}{failure}");
            }
        }
    }

    private Task ActAsync(Random random, CancellationToken patience) => random.Next(10) switch
    {
        < 4 => BeGoodAsync(random.Next(8)),
        4 => BeSlowAsync(patience),
        5 or 6 => VanishAsync(random, patience),
        7 => BreakOffAsync(random, patience),
        8 => TalkNonsenseAsync(random, patience),
        _ => ChatAsync(random, patience),
    };

    private async Task BeGoodAsync(int i)
    {
        var text = await TextAsync(Prompt(i), 20 + (i * 10));
        if (text.Length > 0 && text != alone[Prompt(i)])
            mistakes.Add($"prompt {i} was answered '{text}' beside others and '{alone[Prompt(i)]}' alone");
        Count(text.Length > 0 ? "good" : "refused");
    }

    private async Task<string> TextAsync(string prompt, int tokens)
    {
        var (status, json) = await server.PostJsonAsync(
            "/v1/completions", $$"""{"prompt":{{System.Text.Json.JsonSerializer.Serialize(prompt)}},"max_tokens":{{tokens}},"temperature":0,"ignore_eos":true}""");
        return (int)status == 429 ? "" : json.GetProperty("choices")[0].GetProperty("text").GetString()!;
    }

    private async Task BeSlowAsync(CancellationToken patience)
    {
        using var response = await server.PostAsync("/v1/completions", """{"prompt":"Slowly","max_tokens":60,"stream":true,"ignore_eos":true}""", patience);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(patience));
        while (await reader.ReadLineAsync(patience) is not null)
            await Task.Delay(5, patience);
        Count("slow");
    }

    private async Task VanishAsync(Random random, CancellationToken patience)
    {
        using var soon = CancellationTokenSource.CreateLinkedTokenSource(patience);
        soon.CancelAfter(random.Next(1, 120));
        using var response = await server.PostAsync(
            "/v1/completions", $$"""{"prompt":"{{new string('a', random.Next(1, 300))}}","max_tokens":200,"ignore_eos":true,"stream":{{(random.Next(2) == 0 ? "true" : "false")}}}""", soon.Token);
        await response.Content.ReadAsStringAsync(soon.Token);
        Count("finished before it vanished");
    }

    /// <summary>A connection that is reset in the middle of whatever.</summary>
    private async Task BreakOffAsync(Random random, CancellationToken patience)
    {
        await using var connection = await server.ConnectAsync();
        const string Body = """{"prompt":"broken","max_tokens":200,"stream":true,"ignore_eos":true}""";
        var bytes = Encoding.ASCII.GetBytes($"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {Body.Length}\r\n\r\n{Body}");
        await connection.WriteAsync(bytes.AsMemory(0, random.Next(1, bytes.Length + 1)), patience);
        await Task.Delay(random.Next(30), patience);
        connection.Socket.LingerState = new(true, 0);
        Count("broken off");
    }

    private async Task TalkNonsenseAsync(Random random, CancellationToken patience)
    {
        using var content = new ByteArrayContent(RandomBody.Create(random));
        using var response = await server.Client.PostAsync(random.Next(2) == 0 ? "/v1/completions" : "/v1/chat/completions", content, patience);
        if ((int)response.StatusCode is >= 500 and not 501)
            mistakes.Add($"nonsense is answered {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(patience)}");
        Count("nonsense");
    }

    private async Task ChatAsync(Random random, CancellationToken patience)
    {
        using var response = await server.PostAsync(
            "/v1/chat/completions",
            $$"""{"messages":[{"role":"system","content":"Speak as the bard does, at length and in verse."},{"role":"user","content":"Number {{random.Next(5)}}"}],"max_tokens":40,"stream":true,"n":{{random.Next(1, 4)}}}""",
            patience);
        var text = await response.Content.ReadAsStringAsync(patience);
        if ((int)response.StatusCode == 200 && !text.EndsWith("[DONE]\n\n", StringComparison.Ordinal))
            mistakes.Add($"a chat ends with {text[^100..]}");
        Count((int)response.StatusCode == 200 ? "chats" : "refused");
    }

    private async Task WatchAsync(Stopwatch clock, TimeSpan end)
    {
        while (clock.Elapsed < end)
        {
            using var response = await server.Client.GetAsync("/health");
            if (response.IsSuccessStatusCode)
                Count("healthy");
            else
                mistakes.Add($"/health is {(int)response.StatusCode}");
            await server.Client.GetStringAsync("/metrics");
            await Task.Delay(200);
        }
    }

    private void Count(string what) => counts.AddOrUpdate(what, 1, (_, count) => count + 1);

    private static long Memory()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
