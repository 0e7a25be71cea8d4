namespace Weft.Sampling;

/// <summary>
/// Draws a sequence's tokens from logits on the host, for requests that ask for more than the sampling kernels know: log-probabilities, a bias,
/// a least number of tokens.
/// </summary>
internal sealed class HostSampler
{
    private readonly Sampler sampler;
    private readonly GenerationOptions options;
    private readonly IReadOnlySet<int> ends;
    private readonly LogDistribution? distribution;

    /// <summary>Creates the sampler of a request.</summary>
    /// <param name="sampler">What draws.</param>
    /// <param name="options">What was asked for.</param>
    /// <param name="ends">Tokens that would end the generation.</param>
    /// <param name="vocabularySize">V.</param>
    public HostSampler(Sampler sampler, GenerationOptions options, IReadOnlySet<int> ends, int vocabularySize)
    {
        this.sampler = sampler;
        this.options = options;
        this.ends = ends;
        distribution = options.TopLogProbabilities is null ? null : new(vocabularySize);
    }

    /// <summary>Whether a request needs one.</summary>
    public static bool IsNeeded(GenerationOptions options) =>
        options.TopLogProbabilities is not null || options.MinTokens > 0 || options.Sampling.LogitBias.Count > 0;

    /// <summary>Draws the next token.</summary>
    /// <param name="logits">[V], changed in place.</param>
    /// <param name="generated">Tokens generated before.</param>
    /// <param name="logProbabilities">Those of the drawn token, if asked for: of the logits as they came.</param>
    /// <returns>The token, or a code of <see cref="Undrawable"/>.</returns>
    public int Draw(Span<float> logits, int generated, out TokenLogProbabilities? logProbabilities)
    {
        distribution?.Set(logits);
        foreach (var (token, bias) in options.Sampling.LogitBias)
            logits[token] += bias;
        if (generated < options.MinTokens)
        {
            foreach (var token in ends)
                logits[token] = float.NegativeInfinity;
        }

        var drawn = sampler.TrySample(logits);
        logProbabilities = drawn < 0 ? null : distribution?.Of(drawn, options.TopLogProbabilities ?? 0);
        return drawn;
    }

    /// <summary>How probable a token of the prompt was.</summary>
    /// <param name="logits">[V] of the token before it.</param>
    /// <param name="token">The token.</param>
    public TokenLogProbabilities Score(ReadOnlySpan<float> logits, int token)
    {
        distribution!.Set(logits);
        return distribution.Of(token, options.TopLogProbabilities ?? 0);
    }
}
