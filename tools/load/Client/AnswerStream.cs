using System.Diagnostics;
using System.Net.ServerSentEvents;

namespace Weft.Load.Client;

/// <summary>Reads the stream of an answer and notes when its parts come.</summary>
internal static class AnswerStream
{
    /// <summary>How long the connection may stay open after the mark of the end.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <summary>Reads to the end of the stream: only then can the connection be used again.</summary>
    /// <param name="stream">Server-sent events.</param>
    /// <param name="record">What to note it in.</param>
    /// <param name="limit">Stops the reading.</param>
    /// <exception cref="ServerFailureException">The server sent an error, or the stream ended before the answer.</exception>
    /// <exception cref="System.Text.Json.JsonException">A chunk is no JSON object.</exception>
    public static async Task ReadAsync(Stream stream, RequestRecord record, CancellationTokenSource limit)
    {
        var done = false;
        try
        {
            await foreach (var item in SseParser.Create(stream, Chunk.Parse).EnumerateAsync(limit.Token).ConfigureAwait(false))
            {
                var now = Stopwatch.GetTimestamp();
                var chunk = item.Data;
                if (chunk.Error is { } error)
                    throw new ServerFailureException(new(Failure.ErrorEvent, $"the server broke off the answer: {error}"));
                if (chunk.HasText)
                    record.ChunkTimes.Add(now);
                record.FinishReason ??= chunk.FinishReason;
                record.PromptTokens = chunk.PromptTokens ?? record.PromptTokens;
                record.CompletionTokens = chunk.CompletionTokens ?? record.CompletionTokens;
                if (done)
                    continue;
                record.End = now;
                if (chunk.IsDone)
                {
                    done = true;
                    limit.CancelAfter(Grace);
                }
            }
        }
        catch (Exception failure) when (done && failure is OperationCanceledException or IOException)
        {
            // The answer was complete; what became of its connection is not its concern.
        }

        if (!done && record.FinishReason is null)
            throw new ServerFailureException(new(Failure.Disconnected, "the stream ended before the answer did"));
        if (record.ChunkTimes.Count == 0)
            throw new ServerFailureException(new(Failure.Empty, "the answer holds no text"));
    }
}
