using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Hosting;
using Weft.Daemon.Json;
using Weft.Daemon.Models;

namespace Weft.Daemon.Requests;

/// <summary>What the ways of asking for embeddings have in common.</summary>
internal static class Embeddings
{
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
