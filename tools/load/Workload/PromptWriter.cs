using System.Text;

namespace Weft.Load.Workload;

/// <summary>One request before it is sent.</summary>
/// <param name="Prompt">The text.</param>
/// <param name="MaxTokens">Tokens asked for.</param>
internal sealed record PlannedRequest(string Prompt, int MaxTokens);

/// <summary>Writes prompts of random words. A request depends on the options and its index alone.</summary>
internal sealed class PromptWriter(LoadOptions options, PromptScale scale)
{
    /// <summary>Writes a prompt of so many words, for calibration.</summary>
    public static string Sample(LoadOptions options, int count)
    {
        var prompt = new StringBuilder();
        Append(prompt, options, count, new RandomStream(options.Seed, RandomPurpose.Calibration, count));
        return prompt.ToString();
    }

    /// <summary>Writes the request with this index.</summary>
    public PlannedRequest Write(RandomPurpose purpose, int index)
    {
        var random = new RandomStream(options.Seed, purpose, index);
        var count = scale.Words(options.PromptTokens.Next(random));
        var maxTokens = options.OutputTokens.Next(random);
        var shared = (int)Math.Round(count * options.SharedPrefix);
        var prefix = new RandomStream(options.Seed, RandomPurpose.Prefix, random.NextBelow(options.Prefixes));
        var prompt = new StringBuilder();
        Append(prompt, options, shared, prefix);
        Append(prompt, options, count - shared, random);
        return new(prompt.ToString(), maxTokens);
    }

    private static void Append(StringBuilder prompt, LoadOptions options, int count, RandomStream random)
    {
        var words = options.Words ?? EnglishWords.All;
        for (var i = 0; i < count; i++)
        {
            if (prompt.Length > 0)
                prompt.Append(' ');
            prompt.Append(words[random.NextBelow(words.Count)]);
        }
    }
}
