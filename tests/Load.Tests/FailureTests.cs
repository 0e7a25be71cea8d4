using System.Net;
using System.Net.Sockets;
using Weft.Load.Report;
using Weft.Load.Tests.Support;
using static Weft.Load.Tests.Support.Loads;

namespace Weft.Load.Tests;

/// <summary>Requests that fail are counted by what happened, and the others are measured all the same.</summary>
[TestFixture]
public sealed class FailureTests
{
    [Test]
    public async Task Failures_are_counted_by_kind()
    {
        await using var server = new FakeServer(async exchange =>
        {
            switch (exchange.Number % 8)
            {
                case 0:
                    await exchange.JsonAsync(500, """{"error":{"message":"it broke"}}""");
                    break;
                case 1:
                    await exchange.JsonAsync(429, """{"error":{"message":"queue full","type":"overloaded"}}""");
                    break;
                case 2:
                    await exchange.BeginAsync();
                    await exchange.TextAsync("a");
                    await exchange.EventAsync("""{"error":{"message":"out of memory"}}""");
                    await exchange.EndAsync();
                    break;
                case 3:
                    await exchange.BeginAsync();
                    await exchange.TextAsync("a");
                    exchange.Break();
                    break;
                case 4:
                    await exchange.BeginAsync();
                    await exchange.TextAsync("a");
                    await exchange.CloseStreamAsync();
                    break;
                case 5:
                    await exchange.BeginAsync();
                    await exchange.EventAsync("not JSON");
                    await exchange.EndAsync();
                    break;
                case 6:
                    await exchange.BeginAsync();
                    await exchange.EndAsync();
                    break;
                default:
                    await exchange.AnswerAsync();
                    break;
            }
        });
        var report = await RunAsync(Options(server) with { Requests = 80 });
        Assert.That(report.Requests, Has.Property("Sent").EqualTo(80).And.Property("Succeeded").EqualTo(10).And.Property("Failed").EqualTo(70).And.Property("Unfinished").Zero);
        Assert.That(report.Requests.Failures.ToDictionary(failure => failure.Kind, failure => failure.Count), Is.EquivalentTo(new Dictionary<string, int>
        {
            ["http_500"] = 10,
            ["http_429"] = 10,
            ["error_event"] = 10,
            ["disconnected"] = 20,
            ["malformed"] = 10,
            ["empty"] = 10,
        }));
        Assert.That(First(report, "http_500"), Is.EqualTo("the server answered 500 Status: it broke"));
        Assert.That(First(report, "http_429"), Is.EqualTo("the server answered 429 Status: queue full"));
        Assert.That(First(report, "error_event"), Is.EqualTo("the server broke off the answer: out of memory"));
        Assert.That(report.Requests.FinishReasons, Is.EqualTo(new[] { new FinishCount("length", 10) }));
        Assert.That(report.Throughput.OutputTokens, Is.EqualTo(50), "tokens of failed requests do not count");
    }

    [Test]
    public async Task A_server_that_hangs_runs_into_the_time_limit()
    {
        await using var server = new FakeServer(async exchange =>
        {
            // Before the answer, in the middle of it, or never.
            if (exchange.Number % 3 == 1)
            {
                await exchange.BeginAsync();
                await exchange.TextAsync("a");
            }

            if (exchange.Number % 3 < 2)
                await Task.Delay(Timeout.Infinite, exchange.Stop);
            await exchange.AnswerAsync();
        });
        var report = await RunAsync(Options(server) with { Timeout = TimeSpan.FromSeconds(1.5), Concurrency = 12 });
        Assert.That(report.Requests.Succeeded, Is.EqualTo(4));
        Assert.That(report.Requests.Failures, Has.Count.EqualTo(1));
        Assert.That(report.Requests.Failures[0], Is.EqualTo(new FailureCount("timeout", 8, "the answer was not complete after 1.5 s")));
    }

    [Test]
    public async Task A_connection_left_open_after_the_end_holds_nothing_up()
    {
        await using var server = new FakeServer(async exchange =>
        {
            await exchange.BeginAsync();
            await exchange.TextAsync("a");
            await exchange.EventAsync("[DONE]");
            await Task.Delay(Timeout.Infinite, exchange.Stop);
        });
        var report = await RunAsync(Options(server) with { Requests = 4 });
        Assert.That(report.Requests.Succeeded, Is.EqualTo(4));
        Assert.That(report.LatencyMilliseconds.EndToEnd!.Max, Is.LessThan(1000), "the wait after the end is not measured");
    }

    [Test]
    public async Task A_server_that_closes_connections_without_an_answer_has_disconnected()
    {
        await using var server = new FakeServer(exchange =>
        {
            exchange.Break();
            return Task.CompletedTask;
        });
        var report = await RunAsync(Options(server));
        Assert.That(report.Requests.Failures.Select(failure => (failure.Kind, failure.Count)), Is.EqualTo(new[] { ("disconnected", 12) }), report.Requests.ToString());
    }

    [Test]
    public async Task An_answer_that_is_no_stream_is_malformed()
    {
        await using var server = new FakeServer(exchange => exchange.JsonAsync(200, """{"choices":[{"text":"a"}]}"""));
        var report = await RunAsync(Options(server));
        Assert.That(report.Requests.Failures, Is.EqualTo(new[] { new FailureCount("malformed", 12, "the server did not stream its answer, which is application/json") }));
        Assert.That(report.Requests.Succeeded, Is.Zero);
        Assert.That(report.LatencyMilliseconds.TimeToFirstToken, Is.Null);
        Assert.That(report.Throughput.RequestsPerSecond, Is.Zero);
    }

    [Test]
    public async Task A_server_that_goes_away_is_a_failure_to_connect()
    {
        FakeServer? self = null;
        await using var server = self = new FakeServer(async exchange =>
        {
            await exchange.AnswerAsync();
            if (exchange.Number == 3)
                self!.GoAway();
        });
        var report = await RunAsync(Options(server) with { Requests = 40, Concurrency = 1 });
        Assert.That(report.Requests.Succeeded, Is.GreaterThanOrEqualTo(4));
        Assert.That(First(report, "connection"), Does.Contain("cannot be reached"));
    }

    [Test]
    public void A_server_that_is_not_there_is_named()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        taken.Stop();
        var options = new LoadOptions { Server = new Uri($"http://127.0.0.1:{port}/") };
        Assert.That(() => RunAsync(options), Throws.InstanceOf<LoadException>().With.Message.Contains("cannot be reached").And.Message.Contains($"{port}"));
    }

    private static string First(LoadReport report, string kind) => report.Requests.Failures.Single(failure => failure.Kind == kind).First;
}
