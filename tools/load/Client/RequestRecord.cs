using System.Diagnostics;

namespace Weft.Load.Client;

/// <summary>What was measured of one request. Times are timestamps of <see cref="Stopwatch"/>.</summary>
internal sealed class RequestRecord
{
    /// <summary>When it was due; in a closed loop, when it was sent.</summary>
    public required long Scheduled { get; init; }

    /// <summary>When it was sent.</summary>
    public long Start { get; set; }

    /// <summary>When its answer was complete, or it failed.</summary>
    public long End { get; set; }

    /// <summary>When each chunk with text came.</summary>
    public List<long> ChunkTimes { get; } = [];

    /// <summary>Tokens of the prompt, if the server counts them.</summary>
    public int? PromptTokens { get; set; }

    /// <summary>Tokens of the answer, if the server counts them.</summary>
    public int? CompletionTokens { get; set; }

    /// <summary>Why the answer ended.</summary>
    public string? FinishReason { get; set; }

    /// <summary>Why the request failed.</summary>
    public Failure? Failure { get; set; }

    /// <summary>The run was stopped before the answer was complete.</summary>
    public bool Unfinished { get; set; }

    /// <summary>The answer is complete.</summary>
    public bool Succeeded => Failure is null && !Unfinished;

    /// <summary>Tokens of the answer as the server counted them, else its chunks.</summary>
    public int OutputTokens => CompletionTokens ?? ChunkTimes.Count;

    /// <summary>How late it was sent, in milliseconds.</summary>
    public double Lag => Milliseconds(Scheduled, Start);

    /// <summary>Time to the first token, in milliseconds.</summary>
    public double TimeToFirstToken => Milliseconds(Start, ChunkTimes[0]);

    /// <summary>Time to the end of the answer, or to the failure, in milliseconds.</summary>
    public double EndToEnd => Milliseconds(Start, End);

    /// <summary>Mean time of a token after the first, in milliseconds; null when all tokens came at once.</summary>
    public double? TimePerOutputToken =>
        ChunkTimes.Count < 2 || OutputTokens < 2 ? null : Milliseconds(ChunkTimes[0], ChunkTimes[^1]) / (OutputTokens - 1);

    /// <summary>Times between chunks, in milliseconds.</summary>
    public IEnumerable<double> Gaps => ChunkTimes.Zip(ChunkTimes.Skip(1), Milliseconds);

    private static double Milliseconds(long from, long to) => (to - from) * 1000.0 / Stopwatch.Frequency;
}
