using System.Threading.Channels;

namespace Weft;

/// <summary>A generation under way: its tokens as they are drawn, and in the end why it ended.</summary>
public sealed class Generation : IDisposable
{
    private readonly Channel<TokenOutput> outputs = Channel.CreateUnbounded<TokenOutput>(new() { SingleReader = true, SingleWriter = true });
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenRegistration registration;
    private Action<Generation>? cancel;

    internal Generation(long id, int promptTokens, GenerationOptions options, Action<Generation> cancel, CancellationToken cancellationToken)
    {
        Id = id;
        PromptTokens = promptTokens;
        Options = options;
        this.cancel = cancel;
        registration = cancellationToken.UnsafeRegister(static state => ((Generation)state!).Cancel(), this);
    }

    /// <summary>Number of the request in its engine.</summary>
    public long Id { get; }

    /// <summary>What was asked for.</summary>
    public GenerationOptions Options { get; }

    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens { get; }

    /// <summary>Those of them that the prefix cache had.</summary>
    public int CachedTokens { get; internal set; }

    /// <summary>Tokens drawn so far, one that ends the generation included.</summary>
    public int GeneratedTokens { get; internal set; }

    /// <summary>Why it ended; null before the end of <see cref="Outputs"/>.</summary>
    public FinishReason? FinishReason { get; private set; }

    /// <summary>The stop string that ended it, or null.</summary>
    public string? StopString { get; internal set; }

    /// <summary>[prompt − 1] of each token of the prompt but the first, if asked for; complete before the first output.</summary>
    public IReadOnlyList<TokenLogProbabilities> PromptLogProbabilities => PromptScores;

    /// <summary>When it arrived, in UTC.</summary>
    public DateTime Started { get; } = DateTime.UtcNow;

    /// <summary>Time from its arrival to its first step; null before.</summary>
    public TimeSpan? QueueTime { get; internal set; }

    /// <summary>Time from its arrival to its first token; null before.</summary>
    public TimeSpan? TimeToFirstToken { get; internal set; }

    /// <summary>Time from its arrival to its last token; null before.</summary>
    public TimeSpan? Duration { get; private set; }

    /// <summary>
    /// The tokens, in order. It ends without error when the generation ends or is cancelled; otherwise with a <see cref="WeftException"/>, an
    /// <see cref="EngineException"/> where the request is not to blame.
    /// </summary>
    public ChannelReader<TokenOutput> Outputs => outputs.Reader;

    /// <summary>Completes when the generation has ended, for whatever reason; it never fails. All its <see cref="Outputs"/> can be read then without waiting.</summary>
    public Task Ended => ended.Task;

    /// <summary>The prompt's embedding, if that was asked for.</summary>
    internal float[]? Embedding { get; set; }

    internal List<TokenLogProbabilities> PromptScores { get; } = [];

    /// <summary>Somebody wants it stopped.</summary>
    internal bool IsCancelled => Volatile.Read(ref cancel) is null;

    /// <summary>Stops it within one step, wherever it is. What was drawn until then can still be read.</summary>
    public void Cancel() => Interlocked.Exchange(ref cancel, null)?.Invoke(this);

    /// <summary>Waits for the end.</summary>
    /// <param name="onText">Receives text as it becomes final.</param>
    /// <returns>All tokens, one that ended the generation excluded.</returns>
    /// <exception cref="WeftException">It failed.</exception>
    public IReadOnlyList<int> Wait(Action<string>? onText = null)
    {
        // Waking this thread for each token would cost the engine's threads time.
        if (onText is null)
            Ended.Wait();
        var tokens = new List<int>();
        while (outputs.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (outputs.Reader.TryRead(out var output))
            {
                if (!output.IsEnd)
                    tokens.Add(output.Token);
                if (output.Text.Length > 0)
                    onText?.Invoke(output.Text);
            }
        }

        return tokens;
    }

    /// <summary>Cancels it if it still runs.</summary>
    public void Dispose()
    {
        registration.Unregister();
        Cancel();
    }

    internal void Write(in TokenOutput output) => outputs.Writer.TryWrite(output);

    internal void End(FinishReason? reason, TimeSpan duration, Exception? failure)
    {
        registration.Unregister();
        Volatile.Write(ref cancel, null);
        FinishReason = reason;
        Duration = duration;
        outputs.Writer.TryComplete(failure);
        ended.TrySetResult();
    }
}
