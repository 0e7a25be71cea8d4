using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Hosting;
using Weft.Daemon.Json;
using Weft.Daemon.Models;
using Weft.Daemon.Requests;
using Weft.Sampling;

namespace Weft.Daemon.Ollama;

/// <summary>Reads the <c>options</c> of Ollama's requests.</summary>
internal static class OllamaOptions
{
    // What Ollama takes where neither the request nor the model says.
    private const float DefaultTemperature = 0.8f;
    private const int DefaultTopK = 40;
    private const float DefaultTopP = 0.9f;
    private const float DefaultRepeatPenalty = 1.1f;

    /// <summary>Reads them.</summary>
    /// <exception cref="ApiException">One has a wrong type or value.</exception>
    public static GenerationOptions Read(Fields request, HttpContext context, ServedModel model)
    {
        NotYet.RefuseOllama(request);
        if (request.Array("images") is { Count: > 0 })
            throw ApiException.BadRequest("This model reads text only, no images.", "images");
        var defaults = model.Defaults;
        var fields = request.Object("options");
        var maxTokens = fields?.Integer("num_predict") ?? -1;
        var seed = fields?.Long("seed");
        return new GenerationOptions
        {
            // −1 is without end and −2 until the context is full, which is the same here.
            MaxTokens = maxTokens < 0 ? model.Facts.ContextLength : Math.Max(1, maxTokens),
            StopStrings = fields?.Texts("stop") ?? [],
            Timeout = RequestTimeout.Read(context),
            Sampling = new SamplingOptions
            {
                Temperature = fields?.Single("temperature") ?? defaults.Temperature ?? DefaultTemperature,
                TopK = Math.Max(0, fields?.Integer("top_k") ?? defaults.TopK ?? DefaultTopK),
                TopP = fields?.Single("top_p") ?? defaults.TopP ?? DefaultTopP,
                MinP = fields?.Single("min_p") ?? 0,
                RepetitionPenalty = fields?.Single("repeat_penalty") ?? defaults.RepetitionPenalty ?? DefaultRepeatPenalty,
                PresencePenalty = fields?.Single("presence_penalty") ?? 0,
                FrequencyPenalty = fields?.Single("frequency_penalty") ?? 0,
                Seed = seed is null or < 0 ? null : (ulong)seed.Value,
            },
        };
    }
}
