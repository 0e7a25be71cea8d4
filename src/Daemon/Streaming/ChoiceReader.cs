using System.Diagnostics;

namespace Weft.Daemon.Streaming;

/// <summary>
/// Reads several generations as their tokens come, several tokens at once where they come faster than every two milliseconds: waking a thread
/// for each would take processor time from the model, and nobody reads that fast.
/// </summary>
internal sealed class ChoiceReader : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    private readonly IReadOnlyList<Generation> generations;
    private readonly Task ended;
    private readonly Task<bool>?[] waits;
    private int open;
    private long lastRead; // 0 before the first, which no pause delays

    /// <summary>Takes generations over: they are cancelled when the reader is disposed.</summary>
    public ChoiceReader(IReadOnlyList<Generation> generations)
    {
        this.generations = generations;
        News = [.. generations.Select(_ => new ChoiceNews())];
        ended = generations.Count == 1 ? generations[0].Ended : Task.WhenAll(generations.Select(generation => generation.Ended));
        waits = new Task<bool>?[generations.Count];
        open = generations.Count;
    }

    /// <summary>One for each generation: what the last read brought.</summary>
    public IReadOnlyList<ChoiceNews> News { get; }

    /// <summary>Every generation ended.</summary>
    public bool IsDone => open == 0;

    /// <summary>Waits until every generation has ended; after it, reads do not wait.</summary>
    public Task WaitForEndAsync() => ended;

    /// <summary>Waits until something is new.</summary>
    /// <param name="patience">At most so long.</param>
    /// <returns>False when nothing came in that time.</returns>
    /// <exception cref="WeftException">A generation failed.</exception>
    public async ValueTask<bool> ReadAsync(TimeSpan patience)
    {
        foreach (var news in News)
            news.Clear();
        if (lastRead != 0 && Pause - Stopwatch.GetElapsedTime(lastRead) is { Ticks: > 0 } pause && !ended.IsCompleted)
            await Task.WhenAny(ended, Task.Delay(pause)).ConfigureAwait(false);
        while (!Take())
        {
            for (var i = 0; i < generations.Count; i++)
            {
                if (!News[i].Ended)
                    waits[i] ??= generations[i].Outputs.WaitToReadAsync().AsTask();
            }

            try
            {
                var wait = generations.Count == 1 ? waits[0]! : (Task)Task.WhenAny(waits.OfType<Task<bool>>());
                await wait.WaitAsync(patience).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                return false;
            }
        }

        lastRead = Stopwatch.GetTimestamp();
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var generation in generations)
            generation.Dispose();
    }

    private bool Take()
    {
        var any = false;
        for (var i = 0; i < generations.Count; i++)
        {
            var (news, outputs) = (News[i], generations[i].Outputs);
            if (news.Ended)
                continue;
            // A channel's Completion may stay open when its last item is read while it is closed; what a wait says is sure.
            var isAtEnd = false;
            if (waits[i] is { IsCompleted: true } wait)
            {
                waits[i] = null;
                isAtEnd = !wait.GetAwaiter().GetResult();
            }

            while (outputs.TryRead(out var output))
            {
                any = news.IsNew = true;
                news.Text.Append(output.Text);
                if (output.LogProbabilities is not null && !output.IsEnd)
                    news.Tokens.Add(output);
            }

            if (!isAtEnd)
                continue;
            news.Ended = news.IsNew = any = true;
            open--;
        }

        return any;
    }
}
