using Weft.Load.Client;
using Weft.Load.Workload;

namespace Weft.Load;

/// <summary>Learns what a server takes and how it counts, from two requests for one token each.</summary>
internal static class Calibration
{
    /// <summary>Words of the first prompt: few enough for any context.</summary>
    private const int Few = 16;

    /// <summary>Bounds of the second prompt, which is about as long as those that follow.</summary>
    private const int Least = 2 * Few, Most = 4096;

    /// <summary>Asks the server.</summary>
    /// <returns>What it takes, and how words become tokens there.</returns>
    /// <exception cref="ServerFailureException">It does not answer, or with an error.</exception>
    public static async Task<(RequestTemplate Template, PromptScale Scale)> RunAsync(
        ServerClient client, LoadOptions options, string model, Action<string> note, CancellationToken cancellationToken)
    {
        var template = new RequestTemplate(model, options.Endpoint, options.Temperature, options.IgnoreEndOfSequence);
        int? few;
        try
        {
            few = await CountAsync(Few).ConfigureAwait(false);
        }
        catch (ServerFailureException failure) when (template.IgnoreEndOfSequence && failure.Failure.Kind is "http_400" or "http_422")
        {
            // Some servers refuse members that they do not know.
            template = template with { IgnoreEndOfSequence = false };
            few = await CountAsync(Few).ConfigureAwait(false);
            note("the server does not take ignore_eos: answers may end early");
        }

        if (few is { } fewTokens)
        {
            var words = (int)Math.Clamp(options.PromptTokens.Mean * Few / Math.Max(Few, fewTokens), Least, Most);
            if (await CountAsync(words).ConfigureAwait(false) is { } tokens)
                return (template, PromptScale.Through((Few, fewTokens), (words, tokens)));
        }

        note("the server counts no prompt tokens: the length of prompts is a guess");
        return (template, PromptScale.Guess);

        Task<int?> CountAsync(int words) => client.CountAsync(template, PromptWriter.Sample(options, words), cancellationToken);
    }
}
