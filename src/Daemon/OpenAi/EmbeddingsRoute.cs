using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;
using Weft.Daemon.Models;
using Weft.Daemon.Requests;

namespace Weft.Daemon.OpenAi;

/// <summary><c>POST /v1/embeddings</c>: texts in, vectors of length one out. <c>pooling</c>, ours, is <c>mean</c> or <c>last</c>.</summary>
internal static class EmbeddingsRoute
{
    /// <summary>Answers a request.</summary>
    public static async Task HandleAsync(HttpContext context, ModelDirectory models)
    {
        using var document = await Body.ReadAsync(context).ConfigureAwait(false);
        var fields = new Fields(document.RootElement);
        var model = models.Find(fields.Text("model"));
        var asBase64 = fields.Text("encoding_format") switch
        {
            null or "float" => false,
            "base64" => true,
            var other => throw ApiException.BadRequest($"'encoding_format' is '{other}', but must be 'float' or 'base64'.", "encoding_format"),
        };
        var inputs = PromptField.Read(fields, "input", model);
        var pooling = Embeddings.Pooling(fields);
        if (fields.Integer("dimensions") is { } dimensions && dimensions != model.Facts.EmbeddingSize)
            throw ApiException.BadRequest($"'dimensions' is {dimensions}, but embeddings of '{model.Name}' have {model.Facts.EmbeddingSize}.", "dimensions");
        var vectors = await Embeddings.EmbedAsync(context, model, inputs, "input", pooling).ConfigureAwait(false);
        await JsonResponse.WriteAsync(context, writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("object", "list");
            writer.WriteStartArray("data");
            for (var i = 0; i < vectors.Length; i++)
            {
                writer.WriteStartObject();
                writer.WriteString("object", "embedding");
                writer.WriteNumber("index", i);
                writer.WritePropertyName("embedding");
                if (asBase64)
                    writer.WriteBase64StringValue(MemoryMarshal.AsBytes<float>(vectors[i]));
                else
                    Embeddings.WriteVector(writer, vectors[i]);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteString("model", model.Name);
            writer.WriteStartObject("usage");
            writer.WriteNumber("prompt_tokens", inputs.Sum(input => input.Length));
            writer.WriteNumber("total_tokens", inputs.Sum(input => input.Length));
            writer.WriteEndObject();
            writer.WriteEndObject();
        }).ConfigureAwait(false);
    }
}
