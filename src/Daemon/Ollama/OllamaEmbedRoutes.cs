using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;
using Weft.Daemon.Models;
using Weft.Daemon.Requests;

namespace Weft.Daemon.Ollama;

/// <summary><c>POST /api/embed</c>, and <c>POST /api/embeddings</c> before it, for one text. A text that does not fit the context is an error: nothing is cut off in silence, whatever <c>truncate</c> says.</summary>
internal static class OllamaEmbedRoutes
{
    /// <summary><c>input</c>, a text or several, becomes <c>embeddings</c>.</summary>
    public static async Task EmbedAsync(HttpContext context, ModelDirectory models)
    {
        var start = Stopwatch.GetTimestamp();
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var fields = new Fields(document.RootElement);
        var model = OllamaModelRoutes.Find(fields, models);
        var inputs = PromptField.Read(fields, "input", model);
        var vectors = await Embeddings.EmbedAsync(context, model, inputs, "input", Embeddings.Pooling(fields)).ConfigureAwait(false);
        await JsonResponse.WriteAsync(context, writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("model", model.Name);
            writer.WriteStartArray("embeddings");
            foreach (var vector in vectors)
                Embeddings.WriteVector(writer, vector);
            writer.WriteEndArray();
            writer.WriteNumber("total_duration", Stopwatch.GetElapsedTime(start).Ticks * TimeSpan.NanosecondsPerTick);
            writer.WriteNumber("load_duration", 0);
            writer.WriteNumber("prompt_eval_count", inputs.Sum(input => input.Length));
            writer.WriteEndObject();
        }).ConfigureAwait(false);
    }

    /// <summary><c>prompt</c>, one text, becomes <c>embedding</c>.</summary>
    public static async Task EmbedOneAsync(HttpContext context, ModelDirectory models)
    {
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var fields = new Fields(document.RootElement);
        var model = OllamaModelRoutes.Find(fields, models);
        var prompt = fields.Text("prompt") ?? throw ApiException.BadRequest("'prompt' is missing.", "prompt");
        var tokens = model.RequireTokenizer().Encode(prompt);
        var vectors = await Embeddings.EmbedAsync(context, model, [tokens], "prompt", Embeddings.Pooling(fields)).ConfigureAwait(false);
        await JsonResponse.WriteAsync(context, writer =>
        {
            writer.WriteStartObject();
            writer.WritePropertyName("embedding");
            Embeddings.WriteVector(writer, vectors[0]);
            writer.WriteEndObject();
        }).ConfigureAwait(false);
    }
}
