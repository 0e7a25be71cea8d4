using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Hosting;
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
        var pooling = Pooling(fields);
        if (fields.Integer("dimensions") is { } dimensions && dimensions != model.Facts.EmbeddingSize)
            throw ApiException.BadRequest($"'dimensions' is {dimensions}, but embeddings of '{model.Name}' have {model.Facts.EmbeddingSize}.", "dimensions");
        var vectors = await EmbedAsync(context, model, inputs, "input", pooling).ConfigureAwait(false);
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

    /// <summary>Embeds texts, as many at a time as the engine runs; the first that fails ends the others.</summary>
    /// <param name="context">For the time that the client gives.</param>
    /// <param name="model">Computes.</param>
    /// <param name="inputs">Tokens of each text.</param>
    /// <param name="name">Field of the request that holds them.</param>
    /// <param name="pooling">How the tokens' hidden states become one.</param>
    /// <exception cref="WeftException">One is too long, or a step failed.</exception>
    public static async Task<float[][]> EmbedAsync(HttpContext context, ServedModel model, IReadOnlyList<int[]> inputs, string name, Pooling pooling)
    {
        if (inputs.FirstOrDefault(input => input.Length > model.Facts.ContextLength) is { } tooLong)
        {
            throw ApiException.BadRequest(
                $"A text of '{name}' has {tooLong.Length} tokens, which do not fit the context of {model.Facts.ContextLength}.", name, "context_length_exceeded");
        }

        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        if (RequestTimeout.Read(context) is { } time)
            timeout.CancelAfter(time);
        var vectors = new float[inputs.Count][];
        var window = new ParallelOptions { MaxDegreeOfParallelism = model.Engine.MaxSequences, CancellationToken = timeout.Token };
        try
        {
            await Parallel.ForAsync(0, inputs.Count, window, async (i, token) =>
                vectors[i] = await model.Engine.EmbedAsync(inputs[i], pooling, token).ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            throw new EngineException(EngineFault.Timeout, "the request's time is up");
        }

        return vectors;
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
