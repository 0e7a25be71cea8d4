using System.Diagnostics;
using Weft.Load.Tests.Support;
using Weft.Load.Workload;
using static Weft.Load.Tests.Support.Loads;

namespace Weft.Load.Tests;

/// <summary>How fast requests are sent, and when no more are.</summary>
[TestFixture]
public sealed class PaceTests
{
    [TestCase(1)]
    [TestCase(5)]
    [TestCase(12)]
    public async Task A_closed_loop_keeps_exactly_its_concurrency_in_flight(int concurrency)
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync(first: Milliseconds(30)));
        var report = await RunAsync(Options(server) with { Requests = 60, Concurrency = concurrency });
        Assert.That(server.MostInFlight, Is.EqualTo(concurrency));
        Assert.That(report.Throughput.MeanInFlight, Is.InRange(concurrency * 0.75, concurrency));
        Assert.That(report.Requests.Succeeded, Is.EqualTo(60));
        Assert.That(report.Setup, Has.Property("Concurrency").EqualTo(concurrency).And.Property("Rate").Null);
    }

    [Test]
    public async Task An_open_loop_keeps_its_rate_whatever_the_server_does()
    {
        const int count = 150;
        await using var server = new FakeServer(exchange => exchange.AnswerAsync(first: Milliseconds(400)));
        var report = await RunAsync(Options(server) with { Requests = count, Rate = 100, Seed = 3, WarmUp = 8 });
        var due = Arrivals.Poisson(100, new RandomStream(3, RandomPurpose.Arrivals, 0)).Take(count).ToArray();
        var arrived = server.Streams.Skip(8).Select(exchange => exchange.Arrived).ToArray();
        // The place of each arrival on the server's clock is the plan's, but for what a busy machine adds. One that waited for an answer would
        // be 400 ms behind from there on.
        var delays = arrived.Zip(due, (time, planned) => Stopwatch.GetElapsedTime(arrived[0], time).TotalMilliseconds - planned.TotalMilliseconds).Order().ToArray();
        Assert.That(delays[count * 3 / 4] - delays[count / 4], Is.LessThan(100));
        Assert.That(server.MostInFlight, Is.GreaterThan(25), "40 on average: it does not wait for answers");
        var lag = report.LatencyMilliseconds.GeneratorLag!;
        Assert.That(lag.P50, Is.InRange(0, 100));
        Assert.That(lag.Max, Is.GreaterThanOrEqualTo(lag.P99).And.LessThan(1000));
        Assert.That(report.Setup, Has.Property("Concurrency").Null.And.Property("Rate").EqualTo(100));
    }

    [Test]
    public async Task No_request_of_an_open_loop_is_early()
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync());
        var options = Options(server) with { Requests = 100, Rate = 1000 };
        using var client = new Client.ServerClient(options);
        var run = new LoadRun(options, client, new("fake", LoadEndpoint.Completions, 0, true), new PromptWriter(options, PromptScale.Guess));
        var (_, records) = await run.RunAsync(() => { }, CancellationToken.None);
        Assert.That(records, Has.Count.EqualTo(100));
        Assert.That(records.Select(record => record.Start - record.Scheduled), Has.All.GreaterThanOrEqualTo(0));
    }

    [Test]
    public async Task An_infinite_rate_sends_all_at_once()
    {
        var all = new TaskCompletionSource();
        await using var server = new FakeServer(async exchange =>
        {
            if (exchange.Number == 79)
                all.SetResult();
            // Nobody is answered before everybody has asked.
            await all.Task.WaitAsync(exchange.Stop);
            await exchange.AnswerAsync();
        });
        var report = await RunAsync(Options(server) with { Requests = 80, Rate = double.PositiveInfinity });
        Assert.That(report.Requests.Succeeded, Is.EqualTo(80));
        Assert.That(server.MostInFlight, Is.EqualTo(80));
    }

    [TestCase(null)]
    [TestCase(50.0)]
    public async Task After_its_duration_a_load_starts_nothing_and_finishes_what_it_started(double? rate)
    {
        await using var server = new FakeServer(exchange => exchange.AnswerAsync(first: Milliseconds(100)));
        var report = await RunAsync(Options(server) with { Requests = null, Rate = rate, Duration = Milliseconds(500), Concurrency = 4 });
        Assert.That(report.Requests.Sent, Is.InRange(5, rate is null ? 24 : 50));
        Assert.That(report.Requests.Succeeded, Is.EqualTo(report.Requests.Sent));
        Assert.That(report.Throughput.DurationSeconds, Is.InRange(0.3, 2));
    }

    [Test]
    public void Without_requests_and_duration_there_are_a_hundred()
    {
        var options = new LoadOptions { Server = new Uri("http://localhost/") };
        Assert.That(options.RequestLimit, Is.EqualTo(100));
        Assert.That((options with { Duration = TimeSpan.FromSeconds(1) }).RequestLimit, Is.Null);
        Assert.That((options with { Duration = TimeSpan.FromSeconds(1), Requests = 7 }).RequestLimit, Is.EqualTo(7));
        Assert.That((options with { Duration = TimeSpan.FromSeconds(1), Rate = double.PositiveInfinity }).RequestLimit, Is.EqualTo(100), "its duration never ends it");
    }

    [TestCase(null)]
    [TestCase(40.0)]
    [TestCase(double.PositiveInfinity)]
    public async Task Stopped_it_reports_what_was_measured(double? rate)
    {
        using var stop = new CancellationTokenSource();
        await using var server = new FakeServer(async exchange =>
        {
            if (exchange.Number >= 6)
                await Task.Delay(Timeout.Infinite, exchange.Stop);
            await exchange.AnswerAsync();
        });
        var finished = 0;
        void Count()
        {
            if (Interlocked.Increment(ref finished) == 6)
                stop.CancelAfter(100);
        }

        var report = await LoadGenerator.RunAsync(Options(server) with { Requests = 1000, Rate = rate }, _ => { }, Count, stop.Token);
        Assert.That(report.Requests.Succeeded, Is.EqualTo(6));
        Assert.That(report.Requests.Failed, Is.Zero);
        Assert.That(report.Requests.Unfinished, Is.EqualTo(report.Requests.Sent - 6).And.GreaterThan(0));
        Assert.That(report.LatencyMilliseconds.TimeToFirstToken, Is.Not.Null);
    }

    [Test]
    public async Task Stopped_before_it_measures_it_throws()
    {
        using var stop = new CancellationTokenSource();
        await using var server = new FakeServer(async exchange =>
        {
            await stop.CancelAsync();
            await Task.Delay(Timeout.Infinite, exchange.Stop);
        });
        Assert.That(() => LoadGenerator.RunAsync(Options(server) with { WarmUp = 1 }, _ => { }, () => { }, stop.Token), Throws.InstanceOf<OperationCanceledException>());
    }
}
