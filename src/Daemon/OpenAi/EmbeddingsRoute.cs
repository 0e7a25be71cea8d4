using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;
using Weft.Daemon.Models;

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
        var vectors = await EmbedAsync(model, inputs, Pooling(fields), context.RequestAborted).ConfigureAwait(false);
        if (fields.Integer("dimensions") is { } dimensions && dimensions != vectors[0].Length)
            throw ApiException.BadRequest($"'dimensions' is {dimensions}, but embeddings of '{model.Name}' have {vectors[0].Length}.", "dimensions");
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
                    WriteVector(writer, vectors[i]);
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

    /// <summary>Embeds texts, all at a time as far as the engine has room.</summary>
    public static async Task<float[][]> EmbedAsync(ServedModel model, IReadOnlyList<int[]> inputs, Pooling pooling, CancellationToken cancellation)
    {
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var all = inputs.Select(input => model.Engine.EmbedAsync(input, pooling, failed.Token)).ToList();
        try
        {
            return await Task.WhenAll(all).ConfigureAwait(false);
        }
        catch
        {
            await failed.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Writes a vector as an array of numbers.</summary>
    public static void WriteVector(Utf8JsonWriter writer, float[] vector)
    {
        writer.WriteStartArray();
        foreach (var value in vector)
            writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }

    /// <summary>The field <c>pooling</c>.</summary>
    public static Pooling Pooling(Fields fields) => fields.Text("pooling") switch
    {
        null or "mean" => Weft.Pooling.Mean,
        "last" => Weft.Pooling.Last,
        var other => throw ApiException.BadRequest($"'pooling' is '{other}', but must be 'mean' or 'last'.", "pooling"),
    };
}
