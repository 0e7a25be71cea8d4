using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;
using Weft.Daemon.Models;

namespace Weft.Daemon.Ollama;

/// <summary>What Ollama's clients ask about models.</summary>
internal static class OllamaModelRoutes
{
    /// <summary>Finds a model by Ollama's way of naming: a tag after a colon may be there or not.</summary>
    /// <exception cref="ApiException">There is none.</exception>
    public static ServedModel Find(Fields fields, ModelDirectory models)
    {
        var name = fields.Text("model") ?? fields.Text("name") ?? throw ApiException.BadRequest("'model' is missing.", "model");
        const string Latest = ":latest";
        return models.All.Any(model => model.Name == name) || !name.EndsWith(Latest, StringComparison.Ordinal)
            ? models.Find(name)
            : models.Find(name[..^Latest.Length]);
    }

    /// <summary><c>GET /api/tags</c>: all models.</summary>
    public static Task TagsAsync(HttpContext context, ModelDirectory models) => ListAsync(context, models, static (_, _) => { });

    /// <summary><c>GET /api/ps</c>: those in memory, which is all of them, for ever.</summary>
    public static Task RunningAsync(HttpContext context, ModelDirectory models) => ListAsync(context, models, static (writer, model) =>
    {
        writer.WriteString("expires_at", "9999-12-31T23:59:59Z");
        writer.WriteNumber("size_vram", model.Facts.Device.StartsWith("cpu", StringComparison.Ordinal) ? 0 : model.Facts.WeightBytes);
        writer.WriteNumber("context_length", model.Facts.ContextLength);
    });

    /// <summary><c>POST /api/show</c>: one of them.</summary>
    public static async Task ShowAsync(HttpContext context, ModelDirectory models)
    {
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var model = Find(new Fields(document.RootElement), models);
        await JsonResponse.WriteAsync(context, writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("modelfile", "");
            writer.WriteString("parameters", "");
            writer.WriteString("template", model.Facts.ChatTemplate ?? "");
            WriteDetails(writer, model);
            writer.WriteStartObject("model_info");
            writer.WriteString("general.architecture", model.Facts.Architecture);
            writer.WriteNumber("general.parameter_count", model.Facts.Parameters);
            writer.WriteNumber($"{model.Facts.Architecture}.context_length", model.Facts.ContextLength);
            writer.WriteEndObject();
            writer.WriteStartArray("capabilities");
            writer.WriteStringValue("completion");
            writer.WriteEndArray();
            writer.WriteString("modified_at", Time(model));
            writer.WriteEndObject();
        }).ConfigureAwait(false);
    }

    private static Task ListAsync(HttpContext context, ModelDirectory models, Action<Utf8JsonWriter, ServedModel> more)
    {
        models.RequireReady();
        return JsonResponse.WriteAsync(context, writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("models");
            foreach (var model in models.All)
            {
                writer.WriteStartObject();
                writer.WriteString("name", model.Name);
                writer.WriteString("model", model.Name);
                writer.WriteString("modified_at", Time(model));
                writer.WriteNumber("size", model.Facts.WeightBytes);
                writer.WriteString("digest", model.Facts.Digest);
                WriteDetails(writer, model);
                more(writer, model);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }

    private static void WriteDetails(Utf8JsonWriter writer, ServedModel model)
    {
        writer.WriteStartObject("details");
        writer.WriteString("parent_model", "");
        writer.WriteString("format", "weft");
        writer.WriteString("family", model.Facts.Architecture);
        writer.WriteStartArray("families");
        writer.WriteStringValue(model.Facts.Architecture);
        writer.WriteEndArray();
        writer.WriteString("parameter_size", Size(model.Facts.Parameters));
        writer.WriteString("quantization_level", model.Facts.Quantization.ToUpperInvariant());
        writer.WriteEndObject();
    }

    private static string Size(long parameters) => parameters >= 1_000_000_000
        ? (parameters / 1e9).ToString("0.0B", CultureInfo.InvariantCulture)
        : (parameters / 1e6).ToString("0.00M", CultureInfo.InvariantCulture);

    private static string Time(ServedModel model) => DateTimeOffset.FromUnixTimeSeconds(model.Created).ToString("O", CultureInfo.InvariantCulture);
}
