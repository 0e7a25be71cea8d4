using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;
using Weft.Daemon.Models;

namespace Weft.Daemon.OpenAi;

/// <summary><c>GET /v1/models</c> and <c>GET /v1/models/{id}</c>.</summary>
internal static class ModelsRoute
{
    /// <summary>All models.</summary>
    public static Task ListAsync(HttpContext context, ModelDirectory models)
    {
        models.RequireReady();
        return JsonResponse.WriteAsync(context, writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("object", "list");
            writer.WriteStartArray("data");
            foreach (var model in models.All)
                Write(writer, model);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }

    /// <summary>One model; its name may hold slashes.</summary>
    public static Task GetAsync(HttpContext context, ModelDirectory models) =>
        context.Request.RouteValues["id"] is string name
            ? JsonResponse.WriteAsync(context, writer => Write(writer, models.Find(Uri.UnescapeDataString(name))))
            : throw ApiException.NotFound("The model's id is missing.");

    private static void Write(Utf8JsonWriter writer, ServedModel model)
    {
        writer.WriteStartObject();
        writer.WriteString("id", model.Name);
        writer.WriteString("object", "model");
        writer.WriteNumber("created", model.Created);
        writer.WriteString("owned_by", "weft");
        writer.WriteString("root", model.Name);
        writer.WriteNumber("max_model_len", model.Facts.ContextLength);
        writer.WriteEndObject();
    }
}
