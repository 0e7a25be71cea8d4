using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Json;
using Weft.Daemon.Models;
using Weft.Daemon.OpenAi;

namespace Weft.Daemon.Ollama;

/// <summary><c>POST /api/embed</c>. A text that does not fit the context is an error: nothing is cut off in silence, whatever <c>truncate</c> says.</summary>
internal static class OllamaEmbedRoute
{
    /// <summary>Answers a request.</summary>
    public static async Task HandleAsync(HttpContext context, ModelDirectory models)
    {
        var start = Stopwatch.GetTimestamp();
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var fields = new Fields(document.RootElement);
        var model = OllamaModelRoutes.Find(fields, models);
        var inputs = PromptField.Read(fields, "input", model);
        var vectors = await EmbeddingsRoute.EmbedAsync(context, model, inputs, EmbeddingsRoute.Pooling(fields)).ConfigureAwait(false);
        await JsonResponse.WriteAsync(context, writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("model", model.Name);
            writer.WriteStartArray("embeddings");
            foreach (var vector in vectors)
                EmbeddingsRoute.WriteVector(writer, vector);
            writer.WriteEndArray();
            writer.WriteNumber("total_duration", Stopwatch.GetElapsedTime(start).Ticks * TimeSpan.NanosecondsPerTick);
            writer.WriteNumber("load_duration", 0);
            writer.WriteNumber("prompt_eval_count", inputs.Sum(input => input.Length));
            writer.WriteEndObject();
        }).ConfigureAwait(false);
    }
}
