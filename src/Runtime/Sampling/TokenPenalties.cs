namespace Weft.Sampling;

/// <summary>
/// Penalises tokens that a sequence has already seen. Repetition (Keskar et al. 2019) counts the prompt's tokens too; presence and
/// frequency count generated tokens only, as the OpenAI API and vLLM define them. Repetition is applied first.
/// </summary>
internal sealed class TokenPenalties(SamplingOptions options, int vocabularySize)
{
    private readonly bool[] seen = new bool[vocabularySize];
    private readonly int[] generated = new int[vocabularySize];
    private readonly int[] distinct = new int[vocabularySize]; // the seen tokens: a step visits these, not the vocabulary
    private int distinctCount;

    /// <summary>Whether <paramref name="options"/> ask for any penalty.</summary>
    public static bool AreAskedFor(SamplingOptions options) =>
        options is not { RepetitionPenalty: 1, PresencePenalty: 0, FrequencyPenalty: 0 };

    /// <summary>Forgets every token.</summary>
    public void Clear()
    {
        foreach (var token in Distinct)
            (seen[token], generated[token]) = (false, 0);
        distinctCount = 0;
    }

    /// <summary>Records a token of the prompt.</summary>
    public void AddPrompt(int token)
    {
        if (seen[token])
            return;
        seen[token] = true;
        distinct[distinctCount++] = token;
    }

    /// <summary>Records a generated token.</summary>
    public void AddGenerated(int token)
    {
        AddPrompt(token);
        generated[token]++;
    }

    /// <summary>The tokens recorded so far.</summary>
    public ReadOnlySpan<int> Distinct => distinct.AsSpan(0, distinctCount);

    /// <summary>How often a token was generated.</summary>
    public int Generated(int token) => generated[token];

    /// <summary>Changes the logits [V] of the tokens recorded so far.</summary>
    public void Apply(Span<float> logits)
    {
        foreach (var token in Distinct)
        {
            var logit = logits[token];
            logit = logit > 0 ? logit / options.RepetitionPenalty : logit * options.RepetitionPenalty;
            if (generated[token] > 0)
                logit -= (generated[token] * options.FrequencyPenalty) + options.PresencePenalty;
            logits[token] = logit;
        }
    }
}
