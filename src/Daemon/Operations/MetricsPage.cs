using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Models;

namespace Weft.Daemon.Operations;

/// <summary><c>GET /metrics</c>: what the engines report, in Prometheus' text format under vLLM's names, which endpoint pickers expect.</summary>
internal sealed class MetricsPage : IDisposable
{
    private const string Prefix = "vllm:";

    private readonly MeterListener listener = new();
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, MetricFamily> families = new(StringComparer.Ordinal);

    /// <summary>Starts to collect what engines of this process report.</summary>
    public MetricsPage()
    {
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == Engine.MeterName)
                self.EnableMeasurementEvents(instrument, Add(instrument));
        };
        listener.SetMeasurementEventCallback<double>(static (_, value, tags, state) => ((InstrumentSeries)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<long>(static (_, value, tags, state) => ((InstrumentSeries)state!).Record(value, tags));
        listener.SetMeasurementEventCallback<int>(static (_, value, tags, state) => ((InstrumentSeries)state!).Record(value, tags));
        listener.MeasurementsCompleted = (instrument, _) => Remove(instrument);
        listener.Start();
    }

    /// <summary>Answers a scrape.</summary>
    public async Task WriteAsync(HttpContext context, ModelDirectory models)
    {
        var text = new StringBuilder();
        lock (gate)
        {
            listener.RecordObservableInstruments();
            foreach (var family in families.Values)
                family.Write(text);
        }

        WriteFacts(text, models);
        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        await context.Response.WriteAsync(text.ToString(), context.RequestAborted).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => listener.Dispose();

    /// <summary>What does not change, in labels.</summary>
    private static void WriteFacts(StringBuilder text, ModelDirectory models)
    {
        text.Append(CultureInfo.InvariantCulture, $"# HELP {Prefix}cache_config_info Sizes of the key/value cache.\n# TYPE {Prefix}cache_config_info gauge\n");
        foreach (var model in models.All)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"{Prefix}cache_config_info{{block_size=\"16\",engine=\"0\",model_name=\"{MetricFamily.Escape(model.Name)}\",num_gpu_blocks=\"{model.Engine.Statistics.CacheBlocks}\"}} 1\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"# HELP {Prefix}lora_requests_info Adapters of running and waiting requests.\n# TYPE {Prefix}lora_requests_info gauge\n");
        text.Append(
            CultureInfo.InvariantCulture,
            $"{Prefix}lora_requests_info{{max_lora=\"0\",running_lora_adapters=\"\",waiting_lora_adapters=\"\"}} {DateTimeOffset.UtcNow.ToUnixTimeSeconds()}\n");
    }

    private InstrumentSeries Add(Instrument instrument)
    {
        var kind = instrument.GetType().Name switch
        {
            var name when name.StartsWith("Histogram", StringComparison.Ordinal) => "histogram",
            var name when name.Contains("Counter", StringComparison.Ordinal) => "counter",
            _ => "gauge",
        };
        lock (gate)
        {
            var name = Prefix + instrument.Name + (kind == "counter" ? "_total" : "");
            if (!families.TryGetValue(name, out var family))
                families[name] = family = new(name, kind, instrument.Description ?? "", Buckets.For(instrument.Name));
            return family.Add(instrument);
        }
    }

    private void Remove(Instrument instrument)
    {
        lock (gate)
        {
            foreach (var family in families.Values)
                family.Remove(instrument);
        }
    }
}
