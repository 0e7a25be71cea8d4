using Weft.Load.Client;

namespace Weft.Load.Report;

/// <summary>What a server did per second.</summary>
/// <param name="DurationSeconds">From the start to the end of the last request.</param>
/// <param name="RequestsPerSecond">Answers.</param>
/// <param name="PromptTokens">Tokens of all prompts; null when the server does not count them.</param>
/// <param name="PromptTokensPerSecond">The same per second.</param>
/// <param name="OutputTokens">Tokens of all answers.</param>
/// <param name="OutputTokensPerSecond">The same per second.</param>
/// <param name="OutputTokensCounted">False when some are chunks, because the server does not count tokens.</param>
/// <param name="Chunks">Chunks with text, in which the tokens came.</param>
/// <param name="MeanInFlight">Requests in flight at a time, on average; failed ones among them.</param>
public sealed record Throughput(
    double DurationSeconds, double RequestsPerSecond, long? PromptTokens, double? PromptTokensPerSecond,
    long OutputTokens, double OutputTokensPerSecond, bool OutputTokensCounted, long Chunks, double MeanInFlight)
{
    internal static Throughput Of(IReadOnlyCollection<RequestRecord> succeeded, IReadOnlyCollection<RequestRecord> ended, TimeSpan duration)
    {
        var prompt = succeeded.Count > 0 && succeeded.All(record => record.PromptTokens is not null)
            ? succeeded.Sum(record => (long)record.PromptTokens!.Value)
            : (long?)null;
        var output = succeeded.Sum(record => (long)record.OutputTokens);
        return new(
            duration.TotalSeconds, PerSecond(succeeded.Count, duration), prompt, prompt is { } tokens ? PerSecond(tokens, duration) : null,
            output, PerSecond(output, duration), succeeded.All(record => record.CompletionTokens is not null),
            succeeded.Sum(record => (long)record.ChunkTimes.Count), PerSecond(ended.Sum(record => record.EndToEnd) / 1000, duration));
    }

    /// <summary>A rate; 0 when there was no time.</summary>
    internal static double PerSecond(double things, TimeSpan duration) => duration > TimeSpan.Zero ? things / duration.TotalSeconds : 0;
}
