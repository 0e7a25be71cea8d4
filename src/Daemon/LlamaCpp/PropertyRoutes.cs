using Microsoft.AspNetCore.Http;
using Weft.Daemon.Json;
using Weft.Daemon.Models;

namespace Weft.Daemon.LlamaCpp;

/// <summary>llama.cpp's <c>GET /props</c> and <c>GET /slots</c>; the model in the query where several are served.</summary>
internal static class PropertyRoutes
{
    /// <summary>What the model is and what holds where a request does not say.</summary>
    public static Task PropertiesAsync(HttpContext context, ModelDirectory models)
    {
        var model = Find(context, models);
        return JsonResponse.WriteAsync(context, writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartObject("default_generation_settings");
            writer.WriteNumber("n_ctx", model.Facts.ContextLength);
            writer.WriteStartObject("params");
            writer.WriteNumber("temperature", model.Defaults.Temperature ?? 1);
            writer.WriteNumber("top_k", model.Defaults.TopK ?? 0);
            writer.WriteNumber("top_p", model.Defaults.TopP ?? 1);
            writer.WriteNumber("repeat_penalty", model.Defaults.RepetitionPenalty ?? 1);
            writer.WriteEndObject();
            writer.WriteEndObject();
            writer.WriteNumber("total_slots", model.Engine.MaxSequences);
            writer.WriteString("model_alias", model.Name);
            writer.WriteString("model_path", model.Facts.Path);
            writer.WriteString("chat_template", model.Facts.ChatTemplate ?? "");
            writer.WriteString("bos_token", Piece(model, model.Defaults.BosToken));
            writer.WriteString("eos_token", Piece(model, model.Defaults.EosTokens is [var eos, ..] ? eos : null));
            writer.WriteStartObject("modalities");
            writer.WriteBoolean("vision", false);
            writer.WriteBoolean("audio", false);
            writer.WriteEndObject();
            writer.WriteEndObject();
        });
    }

    /// <summary>One slot for every request that runs, then those that are free.</summary>
    public static Task SlotsAsync(HttpContext context, ModelDirectory models)
    {
        var model = Find(context, models);
        var running = model.Engine.Statistics.Running;
        return JsonResponse.WriteAsync(context, writer =>
        {
            writer.WriteStartArray();
            for (var slot = 0; slot < model.Engine.MaxSequences; slot++)
            {
                writer.WriteStartObject();
                writer.WriteNumber("id", slot);
                writer.WriteNumber("n_ctx", model.Facts.ContextLength);
                writer.WriteBoolean("is_processing", slot < running);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        });
    }

    private static ServedModel Find(HttpContext context, ModelDirectory models) => models.Find(context.Request.Query["model"] is [{ Length: > 0 } name] ? name : null);

    private static string Piece(ServedModel model, int? token) => token is { } id && model.Tokenizer is { } tokenizer ? tokenizer.Piece(id) : "";
}
