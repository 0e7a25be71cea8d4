using System.Diagnostics.Metrics;

namespace Weft.Serving;

/// <summary>
/// What an engine reports through <see cref="System.Diagnostics.Metrics"/>, for any listener of the meter <see cref="Engine.MeterName"/>. Names are
/// those of vLLM's metrics without their prefix; every instrument has the tag <c>model_name</c>.
/// </summary>
internal sealed class EngineMetrics : IDisposable
{
    private readonly Meter meter;

    public EngineMetrics(string modelName, Func<EngineStatistics> statistics)
    {
        meter = new Meter(new MeterOptions(Engine.MeterName) { Tags = [new("model_name", modelName), new("engine", "0")] });
        meter.CreateObservableGauge("num_requests_running", () => statistics().Running, description: "Requests that take part in steps.");
        meter.CreateObservableGauge("num_requests_waiting", () => statistics().Waiting, description: "Requests that wait for their first step or to come back.");
        meter.CreateObservableGauge("kv_cache_usage_perc", () => statistics().CacheUsage, description: "Share of the key/value cache in use, from 0 to 1.");
        meter.CreateObservableCounter("num_preemptions", () => statistics().Preemptions, description: "Sequences that had to give way.");
        meter.CreateObservableCounter("prefix_cache_queries", () => statistics().PrefixQueries, description: "Tokens of prompts that were looked for in the prefix cache.");
        meter.CreateObservableCounter("prefix_cache_hits", () => statistics().PrefixHits, description: "Tokens of prompts that the prefix cache had.");
        PromptTokens = meter.CreateCounter<long>("prompt_tokens", description: "Tokens of prompts.");
        GenerationTokens = meter.CreateCounter<long>("generation_tokens", description: "Tokens drawn.");
        RequestSuccess = meter.CreateCounter<long>("request_success", description: "Requests that ended, by reason.");
        foreach (var reason in (string[])["stop", "length", "abort"])
            RequestSuccess.Add(0, new KeyValuePair<string, object?>("finished_reason", reason));
        TimeToFirstToken = Seconds("time_to_first_token_seconds", "Time from a request's arrival to its first token.");
        InterTokenLatency = Seconds("inter_token_latency_seconds", "Time between two tokens of a request.");
        Duration = Seconds("e2e_request_latency_seconds", "Time from a request's arrival to its last token.");
        QueueTime = Seconds("request_queue_time_seconds", "Time from a request's arrival to its first step.");
        PrefillTime = Seconds("request_prefill_time_seconds", "Time from a request's first step to its first token.");
        DecodeTime = Seconds("request_decode_time_seconds", "Time from a request's first token to its last.");
        RequestPromptTokens = meter.CreateHistogram<long>("request_prompt_tokens", description: "Tokens of a request's prompt.");
        RequestGenerationTokens = meter.CreateHistogram<long>("request_generation_tokens", description: "Tokens drawn for a request.");
        IterationTokens = meter.CreateHistogram<long>("iteration_tokens_total", description: "Tokens computed in a step.");
    }

    public Counter<long> PromptTokens { get; }

    public Counter<long> GenerationTokens { get; }

    public Counter<long> RequestSuccess { get; }

    public Histogram<double> TimeToFirstToken { get; }

    public Histogram<double> InterTokenLatency { get; }

    public Histogram<double> Duration { get; }

    public Histogram<double> QueueTime { get; }

    public Histogram<double> PrefillTime { get; }

    public Histogram<double> DecodeTime { get; }

    public Histogram<long> RequestPromptTokens { get; }

    public Histogram<long> RequestGenerationTokens { get; }

    public Histogram<long> IterationTokens { get; }

    /// <inheritdoc/>
    public void Dispose() => meter.Dispose();

    /// <summary>Records a request that came to its end.</summary>
    public void RecordEnd(Generation generation, TimeSpan duration)
    {
        var reason = generation.FinishReason == FinishReason.Stop ? "stop" : generation.FinishReason == FinishReason.Length ? "length" : "abort";
        RequestSuccess.Add(1, new KeyValuePair<string, object?>("finished_reason", reason));
        RequestPromptTokens.Record(generation.PromptTokens);
        RequestGenerationTokens.Record(generation.GeneratedTokens);
        Duration.Record(duration.TotalSeconds);
        if (generation is { TimeToFirstToken: { } first, QueueTime: { } queue })
        {
            PrefillTime.Record((first - queue).TotalSeconds);
            DecodeTime.Record((duration - first).TotalSeconds);
        }
    }

    private Histogram<double> Seconds(string name, string description) => meter.CreateHistogram<double>(name, "s", description);
}
