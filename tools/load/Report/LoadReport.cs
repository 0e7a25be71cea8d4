using System.Diagnostics;
using Weft.Load.Client;
using Weft.Load.Workload;

namespace Weft.Load.Report;

/// <summary>What a load test measured. Rates, tokens and times are those of requests that succeeded.</summary>
/// <param name="Setup">What was sent, and how fast.</param>
/// <param name="Requests">How requests ended.</param>
/// <param name="Throughput">What the server did per second.</param>
/// <param name="LatencyMilliseconds">How long its clients waited.</param>
/// <param name="Goodput">Which answers kept the objective; null when none was given.</param>
public sealed record LoadReport(
    LoadSetup Setup, RequestCounts Requests, Throughput Throughput, Latencies LatencyMilliseconds, Goodput? Goodput)
{
    /// <summary>Summarises <paramref name="records"/> of a run that began at the timestamp <paramref name="began"/>.</summary>
    internal static LoadReport Of(
        LoadOptions options, RequestTemplate template, PromptScale scale, long began, IReadOnlyCollection<RequestRecord> records)
    {
        var ended = records.Where(record => !record.Unfinished).ToList();
        var succeeded = ended.Where(record => record.Succeeded).ToList();
        var duration = ended.Count == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(began, ended.Max(record => record.End));
        return new(
            LoadSetup.Of(options, template, scale),
            RequestCounts.Of(records),
            Throughput.Of(succeeded, ended, duration),
            Latencies.Of(succeeded, records, options.Rate is not null),
            options.Objective is { } objective ? Goodput.Of(objective, succeeded, ended.Count, duration) : null);
    }
}

/// <summary>What a load test sent, and how fast.</summary>
/// <param name="Server">The server's address.</param>
/// <param name="Model">The model's name there.</param>
/// <param name="Endpoint">The route.</param>
/// <param name="Rate">Requests per second of an open loop; null for a closed one.</param>
/// <param name="Concurrency">Requests that a closed loop kept in flight; null for an open one.</param>
/// <param name="PromptTokens">Distribution of the prompts' lengths.</param>
/// <param name="OutputTokens">Distribution of the tokens asked for.</param>
/// <param name="SharedPrefix">Share of each prompt that is the beginning of a common text.</param>
/// <param name="Prefixes">Number of such texts.</param>
/// <param name="Temperature">Sampling temperature.</param>
/// <param name="IgnoreEndOfSequence">Whether the server was asked to go on to the last token.</param>
/// <param name="Seed">Seed of the requests.</param>
/// <param name="WarmUp">Requests before those that count.</param>
/// <param name="TokensPerWord">Tokens that the server counted for one more word; null when it counts none.</param>
public sealed record LoadSetup(
    string Server, string Model, LoadEndpoint Endpoint, double? Rate, int? Concurrency, string PromptTokens, string OutputTokens,
    double SharedPrefix, int Prefixes, double Temperature, bool IgnoreEndOfSequence, ulong Seed, int WarmUp, double? TokensPerWord)
{
    internal static LoadSetup Of(LoadOptions options, RequestTemplate template, PromptScale scale) => new(
        options.Server.AbsoluteUri.TrimEnd('/'), template.Model, template.Endpoint, options.Rate, options.Rate is null ? options.Concurrency : null,
        options.PromptTokens.Text, options.OutputTokens.Text, options.SharedPrefix, options.Prefixes, template.Temperature,
        template.IgnoreEndOfSequence, options.Seed, options.WarmUp, scale.CountedByServer ? scale.TokensPerWord : null);
}

/// <summary>How many requests kept an objective.</summary>
/// <param name="TimeToFirstTokenMilliseconds">Its first limit.</param>
/// <param name="TimePerOutputTokenMilliseconds">Its second limit.</param>
/// <param name="Share">Share of the requests that ended, failed ones among them, that kept both.</param>
/// <param name="RequestsPerSecond">Those that kept both, per second.</param>
public sealed record Goodput(
    double? TimeToFirstTokenMilliseconds, double? TimePerOutputTokenMilliseconds, double Share, double RequestsPerSecond)
{
    internal static Goodput Of(ServiceObjective objective, IReadOnlyCollection<RequestRecord> succeeded, int ended, TimeSpan duration)
    {
        var good = succeeded.Count(record => objective.IsMet(record.TimeToFirstToken, record.TimePerOutputToken));
        return new(
            objective.TimeToFirstToken, objective.TimePerOutputToken, ended == 0 ? 0 : (double)good / ended, Throughput.PerSecond(good, duration));
    }
}
