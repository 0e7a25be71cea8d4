using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;

namespace Weft.Daemon.Hosting;

/// <summary>
/// Around every request: gives it an id, turns failures into answers, and logs one line about it, without any text of prompts or answers.
/// </summary>
internal sealed partial class RequestLog(RequestDelegate next, ILogger<RequestLog> logger)
{
    private const string IdHeader = "X-Request-Id";
    private const int LongestId = 128;

    /// <summary>Handles a request.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        var start = Stopwatch.GetTimestamp();
        using var trace = RequestTrace.Start(context.Request);
        context.TraceIdentifier = IdOf(context.Request);
        context.Response.Headers[IdHeader] = context.TraceIdentifier;
        try
        {
            await next(context).ConfigureAwait(false);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            Items(context).Aborted = true;
        }
        catch (Exception failure)
        {
            NoteFailure(context, failure);
            if (context.Response.HasStarted)
                context.Abort();
            else
                await AnswerAsync(context, ApiException.Of(failure)).ConfigureAwait(false);
        }
        finally
        {
            Write(context, Items(context), Stopwatch.GetElapsedTime(start));
            trace?.Finish(Status(context), Items(context).Model, Items(context).Generations);
        }
    }

    /// <summary>Says what a request generates, for its line.</summary>
    public static void Note(HttpContext context, string model, IReadOnlyList<Generation> generations)
    {
        var items = Items(context);
        (items.Model, items.Generations) = (model, generations);
    }

    /// <summary>Says why a request failed, for its line.</summary>
    public static void NoteFailure(HttpContext context, Exception failure) => Items(context).Failure = failure;

    private static Notes Items(HttpContext context)
    {
        if (context.Features.Get<Notes>() is not { } notes)
            context.Features.Set(notes = new Notes());
        return notes;
    }

    private static string IdOf(HttpRequest request) =>
        request.Headers[IdHeader] is [{ Length: > 0 and <= LongestId } given] && given.All(c => c is > ' ' and <= '~')
            ? given
            : "req-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));

    private static Task AnswerAsync(HttpContext context, ApiException error)
    {
        JsonResponse.SetHeaders(context, error);
        return context.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal)
            ? JsonResponse.WriteAsync(
                context,
                writer =>
                {
                    // Ollama's clients read this.
                    writer.WriteStartObject();
                    writer.WriteString("error", error.Message);
                    writer.WriteEndObject();
                },
                error.Status)
            : JsonResponse.WriteAsync(context, error);
    }

    private static int Status(HttpContext context) => Items(context).Aborted ? StatusCodes.Status499ClientClosedRequest : context.Response.StatusCode;

    private void Write(HttpContext context, Notes notes, TimeSpan time)
    {
        // Escaped: a path may hold what a terminal obeys.
        var (method, path, status) = (context.Request.Method, context.Request.Path.ToUriComponent(), Status(context));
        if (notes.Failure is { } failure and not (ApiException or OptionException or EngineException { Fault: not EngineFault.Failed } or BadHttpRequestException)
            && !ApiException.IsBrokenText(failure))
        {
            // What is foreseen says all in a sentence; of a mistake of ours the place is wanted.
            if (failure is WeftException { InnerException: null or WeftException })
                LogFault(context.TraceIdentifier, method, path, failure.Message);
            else
                LogFailure(failure, context.TraceIdentifier, method, path);
        }

        // Probes, scrapers and the page ask every second: only where that fails is it worth a line.
        var isRoutine = path is ("/health" or "/metrics") && status < StatusCodes.Status400BadRequest;
        if (isRoutine || !logger.IsEnabled(LogLevel.Information))
            return;
        if (notes.Generations is { } generations)
        {
            LogGeneration(
                context.TraceIdentifier, method, path, status, time.TotalMilliseconds, notes.Model, generations.Sum(g => g.PromptTokens), generations.Sum(g => g.CachedTokens),
                generations.Sum(g => g.GeneratedTokens), generations[0].TimeToFirstToken?.TotalMilliseconds, generations[0].FinishReason?.ToString().ToLowerInvariant());
        }
        else
        {
            LogRequest(context.TraceIdentifier, method, path, status, time.TotalMilliseconds);
        }
    }

    [LoggerMessage(LogLevel.Information, "{RequestId} {Method} {Path} {Status} in {Milliseconds:F1} ms")]
    private partial void LogRequest(string requestId, string method, string path, int status, double milliseconds);

    [LoggerMessage(
        LogLevel.Information,
        "{RequestId} {Method} {Path} {Status} in {Milliseconds:F1} ms: {Model}, {PromptTokens} tokens in ({CachedTokens} cached), {GeneratedTokens} out, first after {FirstTokenMilliseconds:F1} ms, {FinishReason}")]
    private partial void LogGeneration(
        string requestId, string method, string path, int status, double milliseconds, string? model, int promptTokens, int cachedTokens, int generatedTokens,
        double? firstTokenMilliseconds, string? finishReason);

    [LoggerMessage(LogLevel.Error, "{RequestId} {Method} {Path} failed: {Reason}")]
    private partial void LogFault(string requestId, string method, string path, string reason);

    [LoggerMessage(LogLevel.Error, "{RequestId} {Method} {Path} failed")]
    private partial void LogFailure(Exception failure, string requestId, string method, string path);

    private sealed class Notes
    {
        public string? Model { get; set; }

        public IReadOnlyList<Generation>? Generations { get; set; }

        public Exception? Failure { get; set; }

        public bool Aborted { get; set; }
    }
}
