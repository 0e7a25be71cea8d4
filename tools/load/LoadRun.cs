using System.Collections.Concurrent;
using System.Diagnostics;
using Weft.Load.Client;
using Weft.Load.Workload;

namespace Weft.Load;

/// <summary>Sends requests at the pace of the options and collects what was measured.</summary>
internal sealed class LoadRun(LoadOptions options, ServerClient client, RequestTemplate template, PromptWriter prompts)
{
    private readonly ConcurrentQueue<RequestRecord> records = new();

    /// <summary>Sends the requests that are not counted.</summary>
    /// <exception cref="OperationCanceledException">Stopped.</exception>
    public async Task WarmUpAsync(CancellationToken cancellationToken)
    {
        await ClosedLoopAsync(RandomPurpose.WarmUp, options.WarmUp, null, () => { }, cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        records.Clear();
    }

    /// <summary>Sends the requests that count; stopped, it returns what was measured until then.</summary>
    /// <param name="finished">Is told of each request that ended.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <returns>When it began, as a timestamp of <see cref="Stopwatch"/>, and a record for each request sent, in no order.</returns>
    public async Task<(long Began, IReadOnlyCollection<RequestRecord> Records)> RunAsync(Action finished, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        if (options.Rate is { } rate)
            await OpenLoopAsync(rate, began, finished, cancellationToken).ConfigureAwait(false);
        else
            await ClosedLoopAsync(RandomPurpose.Request, options.RequestLimit ?? int.MaxValue, options.Duration, finished, cancellationToken).ConfigureAwait(false);
        return (began, records);
    }

    /// <summary>Each worker sends its next request when its last one has ended.</summary>
    private Task ClosedLoopAsync(RandomPurpose purpose, int count, TimeSpan? duration, Action finished, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        var sent = 0;
        return Task.WhenAll(Enumerable.Range(0, Math.Min(options.Concurrency, count)).Select(_ => WorkAsync()));

        async Task WorkAsync()
        {
            while (!cancellationToken.IsCancellationRequested && !(Stopwatch.GetElapsedTime(began) >= duration))
            {
                var index = Interlocked.Increment(ref sent) - 1;
                if (index >= count)
                    return;
                var body = template.Streaming(prompts.Write(purpose, index));
                await SendAsync(body, Stopwatch.GetTimestamp(), finished, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>
    /// Requests are sent when they are due, whatever became of those before. A thread of its own waits for them: it is never behind others
    /// in a queue, and its waits end within a fraction of a millisecond, where timers are several milliseconds late.
    /// </summary>
    private async Task OpenLoopAsync(double rate, long began, Action finished, CancellationToken cancellationToken)
    {
        var sent = await Task.Factory.StartNew(
            () => Dispatch(rate, began, finished, cancellationToken),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
        await Task.WhenAll(sent).ConfigureAwait(false);
    }

    private List<Task> Dispatch(double rate, long began, Action finished, CancellationToken cancellationToken)
    {
        var sent = new List<Task>();
        foreach (var due in Arrivals.Poisson(rate, new RandomStream(options.Seed, RandomPurpose.Arrivals, 0)))
        {
            if (sent.Count == options.RequestLimit || due > options.Duration)
                break;
            // Written before it is due, so that long prompts delay nothing.
            var body = template.Streaming(prompts.Write(RandomPurpose.Request, sent.Count));
            // Waits count whole milliseconds; rounded up, no request is early.
            var wait = Math.Ceiling((due - Stopwatch.GetElapsedTime(began)).TotalMilliseconds);
            if (cancellationToken.WaitHandle.WaitOne((int)Math.Max(0, wait)))
                break;
            var scheduled = began + (long)(due.TotalSeconds * Stopwatch.Frequency);
            sent.Add(SendAsync(body, scheduled, finished, cancellationToken));
        }

        return sent;
    }

    private async Task SendAsync(ReadOnlyMemory<byte> body, long scheduled, Action finished, CancellationToken cancellationToken)
    {
        var record = new RequestRecord { Scheduled = scheduled };
        await client.StreamAsync(template.Route, body, record, cancellationToken).ConfigureAwait(false);
        records.Enqueue(record);
        finished();
    }
}
