using System.Diagnostics;
using Weft.Load.Tests.Support;
using Weft.Load.Workload;
using static Weft.Load.Tests.Support.Loads;

namespace Weft.Load.Tests;

/// <summary>
/// What is measured, against the moments at which the server sent. Machines are late and never early: measured times may exceed the server's by
/// what a busy machine needs, and must not fall below them.
/// </summary>
[TestFixture]
public sealed class TimingTests
{
    private const double Early = 0.5;
    private const double Late = 40;

    [TestCase(LoadEndpoint.Completions)]
    [TestCase(LoadEndpoint.Chat)]
    public async Task Known_delays_come_back(LoadEndpoint endpoint)
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync(Milliseconds(60), Milliseconds(15)));
        var report = await RunAsync(Options(server) with { Endpoint = endpoint, WarmUp = 4 });
        var (latency, measured) = (report.LatencyMilliseconds, server.Streams.Skip(4).ToList());
        Assert.That(report.Requests.Succeeded, Is.EqualTo(12));
        var first = measured.Average(exchange => Span(exchange.Arrived, exchange.Sent[0]));
        Assert.That(latency.TimeToFirstToken!.Mean, Is.InRange(first - Early, first + Late));
        Assert.That(first, Is.GreaterThan(58));
        var perToken = measured.Average(exchange => Span(exchange.Sent[0], exchange.Sent[^1]) / 4);
        Assert.That(latency.TimePerOutputToken!.Mean, Is.EqualTo(perToken).Within(Late / 4));
        Assert.That(latency.InterTokenLatency!.Mean, Is.EqualTo(latency.TimePerOutputToken.Mean).Within(1e-6), "where every chunk is a token");
        Assert.That(perToken, Is.GreaterThan(13));
        var whole = measured.Average(exchange => Span(exchange.Arrived, exchange.Sent[^1]));
        Assert.That(latency.EndToEnd!.Mean, Is.InRange(whole - Early, whole + Late));
        Assert.That(latency.GeneratorLag, Is.Null, "a closed loop is never late");
        Assert.That(report.Throughput.OutputTokens, Is.EqualTo(60));
        Assert.That(report.Throughput.OutputTokensPerSecond, Is.EqualTo(60 / report.Throughput.DurationSeconds).Within(1e-6));
    }

    [Test]
    public async Task An_empty_first_delta_is_not_the_first_token()
    {
        await using var server = new FakeServer(async exchange =>
        {
            await exchange.BeginAsync();
            await exchange.EventAsync("""{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}""");
            await exchange.WaitAsync(Milliseconds(80));
            await exchange.TextAsync("a");
            await exchange.EndAsync();
        });
        var report = await RunAsync(Options(server) with { Endpoint = LoadEndpoint.Chat });
        Assert.That(report.LatencyMilliseconds.TimeToFirstToken!.P50, Is.GreaterThan(78));
    }

    [Test]
    public async Task Chunks_of_several_tokens_divide_the_time_per_token_and_not_the_gaps()
    {
        await using var server = new FakeServer(async exchange =>
        {
            await exchange.BeginAsync();
            for (var i = 0; i < 3; i++)
            {
                await exchange.TextAsync("a b c d e f g");
                await exchange.WaitAsync(Milliseconds(30));
            }

            await exchange.EndAsync(tokens: 21);
        });
        var report = await RunAsync(Options(server));
        var gap = server.Streams.Average(exchange => Span(exchange.Sent[0], exchange.Sent[^1]) / 2);
        Assert.That(report.LatencyMilliseconds.InterTokenLatency!.Mean, Is.EqualTo(gap).Within(Late / 2));
        Assert.That(report.LatencyMilliseconds.TimePerOutputToken!.Mean * 20, Is.EqualTo(report.LatencyMilliseconds.InterTokenLatency.Mean * 2).Within(1e-6));
        Assert.That(report.Throughput.OutputTokens, Is.EqualTo(12 * 21));
        Assert.That(report.Throughput.Chunks, Is.EqualTo(12 * 3));
    }

    [Test]
    public async Task Without_usage_chunks_are_counted_and_prompts_are_not()
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync()) { CountsTokens = false };
        var (report, notes) = await RunWithNotesAsync(Options(server));
        Assert.That(report.Requests.Succeeded, Is.EqualTo(12));
        Assert.That(report.Throughput.OutputTokens, Is.EqualTo(60));
        Assert.That(report.Throughput.OutputTokensCounted, Is.False);
        Assert.That(report.Throughput.PromptTokens, Is.Null);
        Assert.That(report.Setup.TokensPerWord, Is.Null);
        Assert.That(notes, Has.One.Contains("counts no prompt tokens"));
    }

    [Test]
    public async Task Goodput_counts_the_answers_that_keep_both_limits_among_all()
    {
        await using var server = new FakeServer(exchange => (exchange.Number % 4) switch
        {
            0 => exchange.AnswerAsync(first: Milliseconds(700)),
            1 => exchange.AnswerAsync(gap: Milliseconds(250)),
            2 => exchange.JsonAsync(500, "{}"),
            _ => exchange.AnswerAsync(),
        });
        var report = await RunAsync(Options(server) with { Objective = new(500, 200) });
        Assert.That(report.Goodput!.Share, Is.EqualTo(0.25));
        Assert.That(report.Goodput.RequestsPerSecond, Is.EqualTo(3 / report.Throughput.DurationSeconds).Within(1e-9));
    }

    [Test]
    public async Task The_generator_keeps_up_with_fast_answers()
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync());
        var report = await RunAsync(Options(server) with { Requests = 64, Concurrency = 16, WarmUp = 32, OutputTokens = TokenDistribution.Constant(1000) });
        TestContext.Out.WriteLine($"{report.Throughput.OutputTokensPerSecond:N0} tokens/s together with the server");
        Assert.That(report.Throughput.OutputTokens, Is.EqualTo(64_000));
        Assert.That(report.Throughput.OutputTokensPerSecond, Is.GreaterThan(5000), "far below what an idle machine reaches");
    }

    private static double Span(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalMilliseconds;
}
