using System.Collections.Concurrent;
using System.Diagnostics;
using Weft.Backends;
using Weft.Interop;
using Weft.KvCache;
using Weft.Models;
using Weft.Sampling;
using Weft.Scheduling;
using Weft.Serving;

namespace Weft;

/// <summary>
/// Serves many generations with one model at a time: a thread of its own plans a step over all of them, submits it, and gives each its token.
/// Where the device runs ahead, the next step is submitted before the last one's tokens are known. What a request gets does not depend on what
/// runs beside it (<see cref="ModelOptions.BatchInvariant"/>). The model belongs to the engine until the engine is disposed.
/// </summary>
/// <remarks>All members are safe to use from any thread.</remarks>
public sealed class Engine : IDisposable
{
    /// <summary>Name of the meter of <see cref="System.Diagnostics.Metrics"/> under which engines report.</summary>
    public const string MeterName = "Weft.Engine";

    // A step that fails with one request alone is that request's fault; so many in a row are the device's.
    private const int MostFailures = 16;

    private readonly EngineModel model;
    private readonly StepProgram program;
    private readonly EngineOptions options;
    private readonly Scheduler scheduler;
    private readonly StepPace pace;
    private readonly EngineMetrics metrics;
    private readonly ConcurrentQueue<(GenerationRequest? New, Generation? Cancelled)> commands = new();
    private readonly ManualResetEventSlim wake = new();
    private readonly Dictionary<long, GenerationRequest> live = [];
    private readonly Queue<GenerationRequest> suspects = new();
    private readonly Thread thread;
    private readonly StepRecord[] records = [new(), new()];
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock gate = new();
    private StepRecord? pending;
    private EngineStatistics statistics;
    private long ids;
    private long steps;
    private long preemptions;
    private int waiting; // requests without a first step, those still in the queue of commands included
    private int started;
    private long nextDeadline = long.MaxValue;
    private int failures;
    private long lastReceived = Stopwatch.GetTimestamp();
    private long turnStarted; // 0 while the thread waits for work
    private volatile Exception? broken;
    private volatile bool closed;
    private volatile bool stopping;

    /// <summary>Starts an engine over a model.</summary>
    /// <exception cref="WeftException">An option is outside its range.</exception>
    public Engine(Model model, EngineOptions? options = null)
        : this((model ?? throw new ArgumentNullException(nameof(model))).ForEngine(), options)
    {
    }

    internal Engine(EngineModel model, EngineOptions? options = null)
    {
        this.options = options ?? new();
        this.options.Validate();
        this.model = model;
        program = model.Program;
        scheduler = new(model.Blocks, model.Limits, model.Program.TellsDrawnApart, model.Keys, model.States);
        pace = new(this.options.StepTime, model.Limits.Tokens);
        statistics = new(0, 0, model.Blocks.TotalCount, 0, 0, 0, 0, 0);
        metrics = new(this.options.ModelName, () => Statistics);
        thread = new Thread(Run) { IsBackground = true, Name = "weft engine" };
        thread.Start();
    }

    /// <summary>The state after the last step.</summary>
    public EngineStatistics Statistics => Read();

    /// <summary>Most generations that run at a time.</summary>
    public int MaxSequences => model.Limits.Sequences;

    /// <summary>What broke the engine for good, or null while it serves.</summary>
    public Exception? Failure => broken;

    /// <summary>How long the step in flight has been going; zero between steps. A device that hangs shows here and nowhere else.</summary>
    public TimeSpan StepElapsed => Volatile.Read(ref turnStarted) is not 0 and var start ? Stopwatch.GetElapsedTime(start) : TimeSpan.Zero;

    /// <summary>Starts a generation.</summary>
    /// <param name="prompt">At least one token, fewer than the context holds.</param>
    /// <param name="generation">What to generate.</param>
    /// <param name="cancellationToken">Stops it within one step.</param>
    /// <exception cref="WeftException">The prompt or an option is out of range.</exception>
    /// <exception cref="EngineException">The queue is full, or the engine closed.</exception>
    public Generation Start(ReadOnlySpan<int> prompt, GenerationOptions generation, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(generation);
        RequestCheck.Require(model, prompt, generation);
        if (Interlocked.Increment(ref waiting) > options.MaxWaiting)
        {
            Interlocked.Decrement(ref waiting);
            throw new EngineException(EngineFault.QueueFull, $"{options.MaxWaiting} requests wait already; try again later");
        }

        var handle = new Generation(Interlocked.Increment(ref ids), prompt.Length, generation, Cancel, cancellationToken);
        try
        {
            var maxTokens = Math.Max(1, Math.Min(generation.MaxTokens, model.ContextLength - (model.Encoder is { } encoder ? GenerationRequest.Start(encoder, generation).Length : prompt.Length)));
            var request = new GenerationRequest(handle, prompt, maxTokens, model, model.CreateTable(), Stopwatch.GetTimestamp());
            if (request.Prefix.Length > scheduler.LongestPrefix(request.WantsPromptLogits))
                throw new OptionException("prompt", $"{request.Prefix.Length} tokens of the prompt see each other and are computed in one step, which takes {scheduler.LongestPrefix(request.WantsPromptLogits)}");
            lock (gate)
            {
                ThrowIfClosed();
                commands.Enqueue((request, null));
            }
        }
        catch
        {
            Interlocked.Decrement(ref waiting);
            handle.Dispose();
            throw;
        }

        wake.Set();
        return handle;
    }

    /// <summary>Computes the embedding of a text.</summary>
    /// <param name="tokens">At least one token, no more than the context holds.</param>
    /// <param name="pooling">How the tokens' hidden states become one.</param>
    /// <param name="cancellationToken">Stops it within one step.</param>
    /// <returns>[C], of length one.</returns>
    /// <exception cref="WeftException">The tokens do not fit, or a step failed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<float[]> EmbedAsync(ReadOnlyMemory<int> tokens, Pooling pooling = Pooling.Mean, CancellationToken cancellationToken = default)
    {
        using var generation = Start(tokens.Span, new() { MaxTokens = 1, Pooling = pooling }, cancellationToken);
        await generation.Outputs.Completion.ConfigureAwait(false);
        return generation.Embedding ?? throw new OperationCanceledException(cancellationToken);
    }

    /// <summary>Takes no more requests and waits until those that it has are done.</summary>
    /// <param name="patience">After this time they are ended with an <see cref="EngineException"/>.</param>
    /// <param name="stepPatience">How long the step in flight may go on then.</param>
    /// <returns>False when that step did not return: the engine's thread still uses the model, which must not be disposed.</returns>
    public async Task<bool> CloseAsync(TimeSpan patience, TimeSpan stepPatience)
    {
        lock (gate)
            closed = true;
        wake.Set();
        await Task.WhenAny(ended.Task, Task.Delay(patience)).ConfigureAwait(false);
        lock (gate)
            stopping = true;
        wake.Set();
        await Task.WhenAny(ended.Task, Task.Delay(stepPatience)).ConfigureAwait(false);
        if (!ended.Task.IsCompleted)
            return false;
        Dispose();
        return true;
    }

    /// <summary>Ends what runs, with an <see cref="EngineException"/>, and stops. Waits for the step in flight, however long it takes: it uses the model.</summary>
    public void Dispose()
    {
        lock (gate)
            closed = stopping = true;
        wake.Set();
        thread.Join();
        metrics.Dispose();
    }

    private void ThrowIfClosed()
    {
        if (broken is { } failure)
            throw Broken(failure);
        if (closed)
            throw new EngineException(EngineFault.Closed, "the engine is closing");
    }

    private void Cancel(Generation generation)
    {
        commands.Enqueue((null, generation));
        wake.Set();
    }

    private void Run()
    {
        while (!stopping && !(closed && live.Count == 0 && commands.IsEmpty))
        {
            try
            {
                wake.Reset();
                Volatile.Write(ref turnStarted, Stopwatch.GetTimestamp());
                TakeCommands();
                EndOverdue();
                if ((broken is null && Step()) || closed)
                    continue;
                Volatile.Write(ref turnStarted, 0);
                wake.Wait();
            }
            catch (Exception exception)
            {
                // Whatever it is, it is answered: the process and the other requests go on.
                Guard(() => Fail(exception));
            }
        }

        stopping = true;
        Guard(() => EndAll(new EngineException(EngineFault.Closed, "the engine was closed before the request was done")));
        // A request that came before the gate closed is still in the queue.
        while (!commands.IsEmpty)
            Guard(TakeCommands);
        Volatile.Write(ref turnStarted, 0);
        ended.SetResult();
    }

    /// <summary>Does what must not fail. If it does all the same, a lost device for instance, the engine is broken, and every caller is told.</summary>
    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception)
        {
            // Neither the scheduler nor the program can be relied on.
            broken ??= exception;
            foreach (var request in live.Values)
            {
                Uncount(request);
                request.Generation.End(null, Since(request.Arrival), Broken(exception));
            }

            live.Clear();
            Volatile.Write(ref statistics, statistics with { Running = 0, Waiting = 0 });
        }
    }

    private void TakeCommands()
    {
        while (commands.TryDequeue(out var command))
        {
            if (command.New is { } added)
            {
                live.Add(added.Id, added);
                scheduler.Add(added);
                nextDeadline = Math.Min(nextDeadline, added.Deadline);
                metrics.PromptTokens.Add(added.Generation.PromptTokens);
                if (added.Generation.IsCancelled)
                    End(added, FinishReason.Cancelled, null);
                else if (stopping)
                    End(added, null, new EngineException(EngineFault.Closed, "the engine is closing"));
                else if (broken is { } failure)
                    End(added, null, Broken(failure));
            }
            else if (live.TryGetValue(command.Cancelled!.Id, out var cancelled))
            {
                End(cancelled, FinishReason.Cancelled, null);
            }
        }
    }

    private void EndOverdue()
    {
        var now = Stopwatch.GetTimestamp();
        if (nextDeadline > now)
            return;
        nextDeadline = live.Values.Select(request => request.Deadline).Where(deadline => deadline > now).DefaultIfEmpty(long.MaxValue).Min();
        foreach (var request in live.Values.Where(request => request.Deadline <= now).ToList())
            End(request, null, new EngineException(EngineFault.Timeout, $"the request's time of {request.Generation.Options.Timeout!.Value.TotalSeconds} s is up"));
    }

    /// <summary>Submits the next step and receives the one before.</summary>
    /// <returns>False when there was nothing to do.</returns>
    private bool Step()
    {
        if (pending is { DrawsOnHost: true })
            Receive();
        var shares = Plan();
        if (shares.Count == 0)
        {
            if (pending is null)
                return live.Count == 0 ? false : throw new InvalidOperationException("No request can go on, which the scheduler rules out.");
            Receive();
            return true;
        }

        if (scheduler.Preemptions > preemptions)
            ForgetWhoGaveWay();
        preemptions = scheduler.Preemptions;
        var record = records[steps++ % records.Length];
        record.Fill(shares);
        NoteStarts(record);
        record.Submit(program);
        if (pending is not null)
            Receive();
        pending = record;
        if (!program.RunsAhead)
            Receive();
        failures = 0;
        return true;
    }

    private IReadOnlyList<Share> Plan()
    {
        while (suspects.TryPeek(out var suspect) && suspect.State == RequestState.Finished)
            suspects.Dequeue();
        return suspects.TryPeek(out var alone) ? scheduler.PlanAlone(alone) : scheduler.Plan(pace.PromptTokens);
    }

    private void NoteStarts(StepRecord record)
    {
        foreach (var (request, _, _) in record.Entries)
        {
            if (request.Generation.QueueTime is not null)
                continue;
            var time = Since(request.Arrival);
            request.Generation.QueueTime = time;
            request.Generation.CachedTokens = request.CachedTokens ?? 0;
            Interlocked.Decrement(ref waiting);
            started++;
            metrics.QueueTime.Record(time.TotalSeconds);
        }
    }

    /// <summary>
    /// The device keeps something for every sampler with penalties, and has room for as many as run: who gave way has none. When it comes
    /// back its sampler starts from the tokens that are known, as if it had drawn those and no others.
    /// </summary>
    private void ForgetWhoGaveWay()
    {
        foreach (var request in live.Values.Where(request => request is { State: RequestState.Waiting, Generation.QueueTime: not null, MustResume: false }))
        {
            program.Forget(request.Sampler);
            request.MustResume = true;
        }
    }

    private void Receive()
    {
        var record = pending!;
        pending = null;
        var drawn = record.Rows > 0 ? program.Receive(record.Number) : [];
        var now = Stopwatch.GetTimestamp();
        pace.Measure(record.Tokens, Stopwatch.GetElapsedTime(Math.Max(lastReceived, record.Submitted), now));
        lastReceived = now;
        foreach (var (request, share, row) in record.Entries)
        {
            if (request.State == RequestState.Finished)
                continue;
            if (request.Pooler is not null)
                Pool(request, request.Pooler, share, row);
            else if (share.Rows == LogitRows.All)
                ScorePrompt(request, share, row);
            if (request.State == RequestState.Finished)
                continue;
            if (!share.Draws)
            {
                scheduler.Computed(request);
                continue;
            }

            TokenLogProbabilities? logProbabilities = null;
            var last = row + share.RowCount - 1;
            var token = request.HostSampler is { } host
                ? host.Draw(program.Logits(last), request.Generation.GeneratedTokens, out logProbabilities)
                : drawn[last];
            if (token < 0)
                End(request, null, new EngineException(EngineFault.Failed, Undrawable.Exception(token).Message));
            else
                Accept(request, token, logProbabilities, now);
        }

        metrics.IterationTokens.Record(record.Tokens);
        Publish();
        record.Clear();
    }

    /// <summary>Takes in hidden states; what rows repeat after a preemption is left out.</summary>
    private void Pool(GenerationRequest request, Pooler pooler, Share share, int row)
    {
        for (var i = 0; share.Rows == LogitRows.All && i < share.Count; i++)
        {
            if (share.First + i == request.VirtualTokens + pooler.Count)
                pooler.Add(program.Hidden(row + i));
        }

        if (!share.Draws)
            return;
        if (pooler.Pooling == Pooling.Last)
            pooler.Add(program.Hidden(row));
        request.Generation.Embedding = pooler.Result();
        scheduler.Computed(request);
        NoLongerSuspect(request);
        End(request, FinishReason.Stop, null);
    }

    /// <summary>The row of a token says how probable the next one was. After a preemption rows come again; those known are left out.</summary>
    private void ScorePrompt(GenerationRequest request, Share share, int row)
    {
        var scores = request.Generation.PromptScores;
        for (var i = 0; i < share.Count; i++)
        {
            var position = share.First + i;
            if (position == request.VirtualTokens + scores.Count && position + 1 < request.PromptLength)
                scores.Add(request.HostSampler!.Score(program.Logits(row + i), request.Tokens[position + 1]));
        }
    }

    private void Accept(GenerationRequest request, int token, TokenLogProbabilities? logProbabilities, long now)
    {
        var generation = request.Generation;
        metrics.GenerationTokens.Add(1);
        if (generation.TimeToFirstToken is null)
        {
            generation.TimeToFirstToken = Since(request.Arrival);
            metrics.TimeToFirstToken.Record(generation.TimeToFirstToken.Value.TotalSeconds);
        }
        else
        {
            metrics.InterTokenLatency.Record(Stopwatch.GetElapsedTime(request.LastToken, now).TotalSeconds);
        }

        request.LastToken = now;
        var reason = request.Accept(token, logProbabilities);
        scheduler.Computed(request);
        NoLongerSuspect(request);
        if (reason is not null)
            End(request, reason, null);
    }

    /// <summary>It came through a step alone.</summary>
    private void NoLongerSuspect(GenerationRequest request)
    {
        if (suspects.TryPeek(out var suspect) && suspect == request)
            suspects.Dequeue();
    }

    private void End(GenerationRequest request, FinishReason? reason, Exception? failure)
    {
        live.Remove(request.Id);
        Uncount(request);
        var duration = Since(request.Arrival);
        try
        {
            scheduler.Remove(request);
            if (request.Generation.QueueTime is not null)
                program.Forget(request.Sampler);
            Publish();
        }
        finally
        {
            // Whatever else fails, its caller waits no longer.
            request.Generation.End(reason, duration, failure);
        }

        metrics.RecordEnd(request.Generation, duration);
    }

    private void EndAll(Exception failure)
    {
        foreach (var request in live.Values.ToList())
            End(request, null, failure);
    }

    private void Uncount(GenerationRequest request)
    {
        if (request.Generation.QueueTime is null)
            Interlocked.Decrement(ref waiting);
        else
            started--;
    }

    /// <summary>
    /// A step failed. Everybody who took part computes again, each alone until it has its next token: who fails alone is given up, the others go on.
    /// </summary>
    private void Fail(Exception exception)
    {
        var involved = records.SelectMany(record => record.Entries).Select(entry => entry.Request)
            .Where(request => request.State != RequestState.Finished).Distinct().ToList();
        pending = null;
        foreach (var record in records)
            record.Clear();
        foreach (var request in involved)
            request.Undraw();
        scheduler.Restart();
        ForgetWhoGaveWay();
        if (++failures >= MostFailures || exception.InnerException is CudaException { IsContextLost: true })
            broken = exception;
        if (involved.Count == 1)
            End(involved[0], null, new EngineException(EngineFault.Failed, $"the step failed: {exception.Message}", exception));
        foreach (var request in involved.Where(request => request.State != RequestState.Finished && !suspects.Contains(request)))
            suspects.Enqueue(request);
        if (broken is not null)
            EndAll(Broken(exception));
    }

    private static EngineException Broken(Exception failure) => new(EngineFault.Failed, $"the engine has failed: {failure.Message}", failure);

    private void Publish() => Volatile.Write(ref statistics, new(
        scheduler.Running.Count, started - scheduler.Running.Count, model.Blocks.TotalCount, model.Blocks.TotalCount - model.Blocks.FreeCount,
        scheduler.Preemptions, scheduler.PrefixQueries, scheduler.PrefixHits, steps));

    private EngineStatistics Read()
    {
        var last = Volatile.Read(ref statistics);
        return last with { Waiting = last.Waiting + Volatile.Read(ref waiting) };
    }

    private static TimeSpan Since(long arrival) => Stopwatch.GetElapsedTime(arrival);
}
