using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Weft.Daemon.Hosting;

/// <summary>
/// The trace of a request: a span for all of it, as part of the client's trace where it sends one (W3C traceparent), and in it one each for
/// waiting, the prompt and the answer. Attributes are OpenTelemetry's for HTTP and generative AI; none holds text.
/// </summary>
internal sealed class RequestTrace : IDisposable
{
    private const string SourceName = "Weft.Daemon";

    private static readonly ActivitySource Source = new(SourceName);

    private readonly Activity activity;

    private RequestTrace(Activity activity) => this.activity = activity;

    /// <summary>Sends traces to a collector.</summary>
    /// <param name="endpoint">Its address for OTLP over HTTP, to which /v1/traces is added.</param>
    /// <param name="version">Of the program.</param>
    public static TracerProvider Export(Uri endpoint, string version) => Sdk.CreateTracerProviderBuilder()
        .ConfigureResource(resource => resource.AddService("weft", serviceVersion: version))
        .AddSource(SourceName)
        .AddOtlpExporter(exporter =>
        {
            exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
            exporter.Endpoint = new Uri(endpoint.AbsoluteUri.TrimEnd('/') + "/v1/traces");
        })
        .Build();

    /// <summary>Begins the trace of a request; null when nobody collects it.</summary>
    public static RequestTrace? Start(HttpRequest request)
    {
        if (!Source.HasListeners())
            return null;
        // The host's own activity, which nobody samples, would be the parent.
        Activity.Current = null;
        ActivityContext.TryParse(request.Headers.TraceParent, request.Headers.TraceState, isRemote: true, out var parent);
        if (Source.StartActivity($"{request.Method} {request.Path}", ActivityKind.Server, parent) is not { } activity)
            return null;
        activity.SetTag("http.request.method", request.Method);
        activity.SetTag("url.path", request.Path.Value);
        return new(activity);
    }

    /// <summary>Notes how the request went.</summary>
    public void Finish(int status, string? model, IReadOnlyList<Generation>? generations)
    {
        activity.SetTag("http.response.status_code", status);
        if (status >= StatusCodes.Status500InternalServerError)
            activity.SetStatus(ActivityStatusCode.Error);
        if (generations is null)
            return;
        activity.SetTag("gen_ai.provider.name", "weft");
        activity.SetTag("gen_ai.request.model", model);
        activity.SetTag("gen_ai.usage.input_tokens", generations.Sum(generation => generation.PromptTokens));
        activity.SetTag("gen_ai.usage.output_tokens", generations.Sum(generation => generation.GeneratedTokens));
        foreach (var generation in generations)
            AddSpans(generation);
    }

    /// <inheritdoc/>
    public void Dispose() => activity.Dispose();

    /// <summary>The generation's times are known by now; it began when it was given to the engine.</summary>
    private void AddSpans(Generation generation)
    {
        if (generation is not { Duration: { } end, QueueTime: { } queue, TimeToFirstToken: { } first })
            return;
        var start = generation.Started;
        Add("queue", start, start + queue);
        Add("prefill", start + queue, start + first);
        Add("decode", start + first, start + end);
    }

    private void Add(string name, DateTime start, DateTime end)
    {
        using var span = Source.StartActivity(name, ActivityKind.Internal, activity.Context, startTime: start);
        span?.SetEndTime(end);
    }
}
