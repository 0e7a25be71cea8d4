using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Weft.Daemon.Errors;
using Weft.Daemon.Hosting;
using Weft.Daemon.Json;
using Weft.Daemon.Models;
using Weft.Daemon.Requests;
using Weft.Sampling;

namespace Weft.Daemon.OpenAi;

/// <summary>What OpenAI's two ways of generating have in common.</summary>
/// <param name="Options">How each choice is generated.</param>
/// <param name="Choices">How many for each prompt.</param>
/// <param name="Stream">Tokens are sent as they come.</param>
/// <param name="IncludeUsage">A stream ends with what was used.</param>
internal sealed record GenerationFields(GenerationOptions Options, int Choices, bool Stream, bool IncludeUsage)
{
    /// <summary>Only the prompt is wanted, with its log-probabilities: the one token that is drawn is not shown.</summary>
    public bool IsScoring { get; init; }

    /// <summary>Most choices of one request, over all its prompts.</summary>
    public const int MostChoices = 128;

    private const float LeastTopP = 1e-6f;

    /// <summary>
    /// Reads the fields that OpenAI documents, and those that vLLM and llama.cpp add. What is not given is as the checkpoint recommends, and
    /// where that says nothing as OpenAI's default is.
    /// </summary>
    /// <param name="fields">The request.</param>
    /// <param name="context">For the time that the client gives.</param>
    /// <param name="model">Whose recommendations hold.</param>
    /// <param name="maxTokens">Most tokens when the request does not say.</param>
    /// <param name="topLogProbabilities">As this way of generating spells it.</param>
    /// <exception cref="ApiException">A field has a wrong type or value.</exception>
    public static GenerationFields Read(Fields fields, HttpContext context, ServedModel model, int maxTokens, int? topLogProbabilities)
    {
        var defaults = model.Defaults;
        var choices = fields.Integer("n") ?? 1;
        if (choices is < 1 or > MostChoices)
            throw ApiException.BadRequest($"'n' is {choices}, but must be from 1 to {MostChoices}.", "n");
        if (fields.Integer("best_of") is { } bestOf && bestOf != choices)
            throw ApiException.BadRequest("'best_of' other than 'n' is not supported.", "best_of");
        NotYet.RefuseOpenAi(fields);
        var stops = fields.Texts("stop");
        if (stops.Any(stop => stop.Length == 0))
            throw ApiException.BadRequest("'stop' holds an empty string, at which everything would stop.", "stop");
        var stream = fields.Flag("stream") ?? false;
        var streamOptions = fields.Object("stream_options");
        if (streamOptions is not null && !stream)
            throw ApiException.BadRequest("'stream_options' is only for requests with 'stream': true.", "stream_options");
        var priority = fields.Integer("priority") ?? 0;
        if (priority < 0 && !context.RequestServices.GetRequiredService<DaemonOptions>().AllowPriority)
            throw ApiException.BadRequest($"'priority' is {priority}, but must be at least 0: this server lets no request go before others (--allow-priority).", "priority");
        var options = new GenerationOptions
        {
            MaxTokens = fields.Integer("max_completion_tokens") ?? fields.Integer("max_tokens") ?? maxTokens,
            MinTokens = fields.Integer("min_tokens") ?? 0,
            StopStrings = stops,
            StopTokens = fields.Integers("stop_token_ids"),
            IgnoreEos = fields.Flag("ignore_eos") ?? false,
            TopLogProbabilities = topLogProbabilities,
            TargetPrefix = fields.Text("target_prefix") is { } begin ? model.RequireTokenizer().Encode(begin, addSpecialTokens: false) : [],
            Priority = priority,
            Timeout = RequestTimeout.Read(context),
            Sampling = new SamplingOptions
            {
                Temperature = fields.Single("temperature") ?? defaults.Temperature ?? 1,
                // 0 is allowed by OpenAI and keeps the most probable token.
                TopP = fields.Single("top_p") is 0 ? LeastTopP : fields.Single("top_p") ?? defaults.TopP ?? 1,
                // −1 is how vLLM says that top-k is off.
                TopK = Math.Max(fields.Integer("top_k") ?? defaults.TopK ?? 0, 0),
                MinP = fields.Single("min_p") ?? 0,
                RepetitionPenalty = fields.Single("repetition_penalty") ?? defaults.RepetitionPenalty ?? 1,
                PresencePenalty = fields.Single("presence_penalty") ?? 0,
                FrequencyPenalty = fields.Single("frequency_penalty") ?? 0,
                LogitBias = LogitBias(fields),
                // Others take a negative seed for a random one.
                Seed = fields.Long("seed") is >= 0 and var number ? (ulong)number : null,
            },
        };
        return new(options, choices, stream, streamOptions?.Flag("include_usage") ?? false);
    }

    /// <summary>The same with further texts before which answers end.</summary>
    public GenerationFields EndingBefore(IReadOnlyList<string> stops) =>
        stops.Count == 0 ? this : this with { Options = Options with { StopStrings = [.. Options.StopStrings, .. stops] } };

    /// <summary>Starts every choice of every prompt.</summary>
    /// <exception cref="WeftException">A prompt does not fit, or the queue is full; nothing runs then.</exception>
    public IReadOnlyList<Generation> Start(ServedModel model, IReadOnlyList<int[]> prompts, CancellationToken cancellation)
    {
        if (prompts.Count * Choices > MostChoices)
            throw ApiException.BadRequest($"The request asks for {prompts.Count * Choices} choices, but at most {MostChoices} are given.", "n");
        var generations = new List<Generation>();
        try
        {
            foreach (var prompt in prompts)
            {
                for (var choice = 0; choice < Choices; choice++)
                {
                    // Choices with one seed would all be alike.
                    var seed = Options.Sampling.Seed + (ulong)choice;
                    generations.Add(model.Engine.Start(prompt, Options with { Sampling = Options.Sampling with { Seed = seed } }, cancellation));
                }
            }
        }
        catch
        {
            generations.ForEach(generation => generation.Dispose());
            throw;
        }

        return generations;
    }

    private static Dictionary<int, float> LogitBias(Fields fields)
    {
        var bias = new Dictionary<int, float>();
        foreach (var (name, value, path) in fields.Object("logit_bias")?.All() ?? [])
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var token))
                throw ApiException.BadRequest($"'logit_bias' has the key '{name}', which is no token id.", "logit_bias");
            bias[token] = (float)Fields.Number(value, path);
        }

        return bias;
    }
}
