namespace Weft.Load.Workload;

/// <summary>How words become tokens on a server whose tokenizer is unknown.</summary>
/// <param name="TokensPerWord">Tokens that one more word costs.</param>
/// <param name="ExtraTokens">Tokens of a prompt without words: a first token, a chat template.</param>
/// <param name="CountedByServer">False when the server counts no prompt tokens, so that the other two are a guess.</param>
internal sealed record PromptScale(double TokensPerWord, double ExtraTokens, bool CountedByServer)
{
    /// <summary>What common English words take in common vocabularies, for servers that do not count.</summary>
    public static PromptScale Guess { get; } = new(1.3, 0, CountedByServer: false);

    /// <summary>The line through two prompts.</summary>
    public static PromptScale Through((int Words, int Tokens) less, (int Words, int Tokens) more)
    {
        var slope = (double)(more.Tokens - less.Tokens) / (more.Words - less.Words);
        // A server that counts no more for a longer prompt counts something else: the longer one alone is the better guess.
        return slope > 0
            ? new(slope, Math.Max(0, less.Tokens - slope * less.Words), CountedByServer: true)
            : new(Math.Max(1, more.Tokens) / (double)more.Words, 0, CountedByServer: true);
    }

    /// <summary>Words that make a prompt of about <paramref name="tokens"/> tokens; at least one.</summary>
    public int Words(double tokens) => (int)Math.Clamp(Math.Round((tokens - ExtraTokens) / TokensPerWord), 1, TokenDistribution.Most);
}
