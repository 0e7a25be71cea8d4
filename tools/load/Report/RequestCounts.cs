using Weft.Load.Client;

namespace Weft.Load.Report;

/// <summary>Requests that ended in one way.</summary>
/// <param name="Reason">The server's finish reason.</param>
/// <param name="Count">How many.</param>
public sealed record FinishCount(string Reason, int Count);

/// <summary>Requests that failed in one way.</summary>
/// <param name="Kind">connection, http_429 (or another status), timeout, disconnected, error_event, malformed or empty.</param>
/// <param name="Count">How many.</param>
/// <param name="First">What the first of them said.</param>
public sealed record FailureCount(string Kind, int Count, string First);

/// <summary>How requests ended.</summary>
/// <param name="Sent">All of them.</param>
/// <param name="Succeeded">Those whose answer is complete.</param>
/// <param name="Failed">Those that failed.</param>
/// <param name="Unfinished">Those in flight when the run was stopped.</param>
/// <param name="FinishReasons">Why answers ended, the most frequent reason first.</param>
/// <param name="Failures">Why requests failed, in the order in which the kinds first happened.</param>
public sealed record RequestCounts(
    int Sent, int Succeeded, int Failed, int Unfinished, IReadOnlyList<FinishCount> FinishReasons, IReadOnlyList<FailureCount> Failures)
{
    internal static RequestCounts Of(IReadOnlyCollection<RequestRecord> records)
    {
        var failed = records.Where(record => record.Failure is not null).OrderBy(record => record.End).ToList();
        var succeeded = records.Where(record => record.Succeeded).ToList();
        return new(
            records.Count, succeeded.Count, failed.Count, records.Count(record => record.Unfinished),
            [
                .. succeeded.GroupBy(record => record.FinishReason ?? "none").Select(group => new FinishCount(group.Key, group.Count()))
                    .OrderByDescending(finish => finish.Count).ThenBy(finish => finish.Reason, StringComparer.Ordinal),
            ],
            [
                .. failed.GroupBy(record => record.Failure!.Kind)
                    .Select(group => new FailureCount(group.Key, group.Count(), group.First().Failure!.Sentence)),
            ]);
    }
}
