using Weft.Load.Client;

namespace Weft.Load.Report;

/// <summary>How long clients waited. A summary is null when there is nothing to summarise.</summary>
/// <param name="TimeToFirstToken">From sending a request to the first chunk with text.</param>
/// <param name="TimePerOutputToken">Of each answer the mean time of a token after the first chunk: (last chunk − first) / (tokens − 1).</param>
/// <param name="InterTokenLatency">Times between chunks with text, those of all answers together.</param>
/// <param name="EndToEnd">From sending a request to the end of its answer.</param>
/// <param name="GeneratorLag">How much later than due requests of an open loop were sent: the generator's own fault.</param>
public sealed record Latencies(
    LatencySummary? TimeToFirstToken, LatencySummary? TimePerOutputToken, LatencySummary? InterTokenLatency, LatencySummary? EndToEnd,
    LatencySummary? GeneratorLag)
{
    internal static Latencies Of(IReadOnlyCollection<RequestRecord> succeeded, IReadOnlyCollection<RequestRecord> sent, bool openLoop) => new(
        LatencySummary.Of(succeeded.Select(record => record.TimeToFirstToken)),
        LatencySummary.Of(succeeded.Select(record => record.TimePerOutputToken).OfType<double>()),
        LatencySummary.Of(succeeded.SelectMany(record => record.Gaps)),
        LatencySummary.Of(succeeded.Select(record => record.EndToEnd)),
        openLoop ? LatencySummary.Of(sent.Select(record => record.Lag)) : null);
}
