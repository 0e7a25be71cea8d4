using System.Collections.Concurrent;
using System.Text.Json;
using Weft.Load.Tests.Support;
using Weft.Load.Workload;

namespace Weft.Load.Tests;

/// <summary>What a load test sends.</summary>
[TestFixture]
public sealed class RequestTests
{
    [Test]
    public async Task A_completion_asks_for_a_stream_with_usage()
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync());
        await Loads.RunAsync(Loads.Options(server) with { Temperature = 0.5, ApiKey = "secret" });
        Assert.That(server.Streams, Has.Count.EqualTo(12));
        foreach (var exchange in server.Streams)
        {
            Assert.That(exchange.Request.Path, Is.EqualTo("/v1/completions"));
            Assert.That(exchange.Request.Headers["Authorization"], Is.EqualTo("Bearer secret"));
            Assert.That(exchange.Request.Headers["Content-Type"], Is.EqualTo("application/json"));
            var text = JsonSerializer.Serialize(exchange.Body).Replace(exchange.Prompt, "…", StringComparison.Ordinal);
            Assert.That(text.Replace("\\u2026", "…", StringComparison.Ordinal), Is.EqualTo(
                """{"model":"fake","prompt":"…","max_tokens":5,"temperature":0.5,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true}}"""));
        }
    }

    [Test]
    public async Task A_chat_is_one_message()
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync());
        await Loads.RunAsync(Loads.Options(server) with { Endpoint = LoadEndpoint.Chat, Model = "other", IgnoreEndOfSequence = false });
        var exchange = server.Streams[0];
        Assert.That(exchange.Request.Path, Is.EqualTo("/v1/chat/completions"));
        Assert.That(exchange.Request.Headers, Does.Not.ContainKey("Authorization"));
        Assert.That(exchange.Body.GetProperty("model").GetString(), Is.EqualTo("other"));
        Assert.That(exchange.Body.GetProperty("messages").GetArrayLength(), Is.EqualTo(1));
        Assert.That(exchange.Body.GetProperty("messages")[0].GetProperty("role").GetString(), Is.EqualTo("user"));
        Assert.That(exchange.Body.TryGetProperty("ignore_eos", out _), Is.False);
    }

    [TestCase("40", 40)]
    [TestCase("1000", 1000)]
    [TestCase("20-400", 210)]
    public async Task Prompts_are_as_long_as_the_server_counts(string tokens, double mean)
    {
        Assert.That(TokenDistribution.TryParse(tokens, out var distribution), Is.True);
        await using var server = new FakeServer(exchange => exchange.AnswerAsync());
        var report = await Loads.RunAsync(Loads.Options(server) with { Requests = 100, PromptTokens = distribution! });
        Assert.That(report.Setup.TokensPerWord, Is.EqualTo(2).Within(1e-9));
        Assert.That(report.Throughput.PromptTokens / 100.0, Is.EqualTo(mean).Within(15).Percent);
        Assert.That(report.Throughput.PromptTokens, Is.EqualTo(server.Streams.Sum(exchange => FakeServer.CountTokens(exchange.Prompt))));
        if (!tokens.Contains('-', StringComparison.Ordinal))
            Assert.That(server.Streams.Select(exchange => FakeServer.CountTokens(exchange.Prompt)), Has.All.EqualTo((int)mean).Within(1));
    }

    [Test]
    public async Task The_same_seed_sends_the_same_requests_at_any_concurrency_and_rate()
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync());
        var options = Loads.Options(server) with { Requests = 30, Seed = 5, SharedPrefix = 0.3, Prefixes = 2 };
        var sent = new List<string[]>();
        foreach (var load in (LoadOptions[])[options, options with { Concurrency = 1 }, options with { Rate = double.PositiveInfinity }, options with { Seed = 6 }])
        {
            var before = server.Streams.Count;
            await Loads.RunAsync(load);
            sent.Add([.. server.Streams.Skip(before).Select(exchange => exchange.Prompt).Order(StringComparer.Ordinal)]);
        }

        Assert.That(sent[1], Is.EqualTo(sent[0]));
        Assert.That(sent[2], Is.EqualTo(sent[0]));
        Assert.That(sent[3], Is.Not.EqualTo(sent[0]));
    }

    [Test]
    public async Task Requests_of_the_warm_up_are_sent_and_not_counted()
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync());
        var finished = new ConcurrentBag<int>();
        var report = await LoadGenerator.RunAsync(Loads.Options(server) with { WarmUp = 7 }, _ => { }, () => finished.Add(1), CancellationToken.None);
        Assert.That(server.Streams, Has.Count.EqualTo(19));
        Assert.That(report.Requests.Sent, Is.EqualTo(12));
        Assert.That(finished, Has.Count.EqualTo(12));
    }

    [Test]
    public async Task Connections_are_used_again()
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync());
        await Loads.RunAsync(Loads.Options(server) with { Requests = 200 });
        Assert.That(server.Connections, Is.LessThanOrEqualTo(4), "as many as requests in flight");
    }

    [Test]
    public async Task Each_request_has_a_connection_of_its_own_where_that_is_asked_for()
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync());
        await Loads.RunAsync(Loads.Options(server) with { Concurrency = 2, NewConnections = true });
        Assert.That(server.Connections, Is.GreaterThanOrEqualTo(server.Streams.Count));
    }

    [Test]
    public async Task A_server_that_refuses_ignore_eos_is_not_sent_it()
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync()) { RefusesIgnoreEndOfSequence = true };
        var (report, notes) = await Loads.RunWithNotesAsync(Loads.Options(server));
        Assert.That(report.Requests.Succeeded, Is.EqualTo(12));
        Assert.That(report.Setup.IgnoreEndOfSequence, Is.False);
        Assert.That(notes, Has.One.Contains("does not take ignore_eos"));
    }
}
