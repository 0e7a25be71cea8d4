namespace Weft.Sampling;

/// <summary>Draws one sequence's tokens from its logits.</summary>
/// <remarks>
/// The order is that of Hugging Face and vLLM: penalties, temperature, top-k, top-p on the probabilities renormalised over what top-k
/// kept, min-p against the largest probability, draw. Min-p comes after the temperature, as in Hugging Face: its threshold is a share
/// of the probability that the draw will use, so that a hotter distribution keeps more tokens.
/// <para>
/// Every truncation keeps a prefix of the tokens in order of falling logit (rising id among equals), so one bound on the logits
/// describes what is kept. The draw inverts the cumulative distribution over the kept tokens in order of their ids with the number
/// that <see cref="Philox.Uniform"/> gives for (seed, index of the token): another backend can repeat it. Not thread-safe.
/// </para>
/// </remarks>
public sealed class Sampler
{
    private const int ChunkSize = 512; // 4 KiB of weights at a time stay in the first-level cache

    private readonly int vocabularySize;
    private readonly TopSelection selection = new();
    private readonly double[] weights = new double[ChunkSize];
    private readonly double[] chunkSums;

    /// <summary>Creates the sampler of a new sequence.</summary>
    /// <param name="options">How to draw.</param>
    /// <param name="vocabularySize">V, at least 1.</param>
    /// <exception cref="WeftException">An option is outside its range.</exception>
    public Sampler(SamplingOptions options, int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, 1);
        options.Validate();
        Options = options;
        this.vocabularySize = vocabularySize;
        Seed = options.Seed ?? (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue);
        chunkSums = new double[(vocabularySize + ChunkSize - 1) / ChunkSize];
        if (TokenPenalties.AreAskedFor(options))
            Penalties = new TokenPenalties(options, vocabularySize);
    }

    /// <summary>The seed in use: the one asked for, or the random one taken instead.</summary>
    public ulong Seed { get; }

    /// <summary>How it draws.</summary>
    internal SamplingOptions Options { get; }

    /// <summary>What it has seen, or null when nothing is penalised.</summary>
    internal TokenPenalties? Penalties { get; }

    /// <summary>Tokens drawn so far, those that a device is still drawing included.</summary>
    internal ulong Step { get; set; }

    /// <summary>Tells the sampler the prompt's tokens, which the repetition penalty counts.</summary>
    /// <exception cref="WeftException">An id is outside the vocabulary.</exception>
    public void Observe(ReadOnlySpan<int> prompt)
    {
        foreach (var token in prompt)
        {
            if ((uint)token >= (uint)vocabularySize)
                throw new WeftException($"Token id {token} of the prompt is outside the model's vocabulary of {vocabularySize} tokens");
            Penalties?.AddPrompt(token);
        }
    }

    /// <summary>Starts again after tokens that are known: as if it had drawn those, and nothing else.</summary>
    internal void Resume(ReadOnlySpan<int> prompt, ReadOnlySpan<int> generated)
    {
        Step = (ulong)generated.Length;
        if (Penalties is null)
            return;
        Penalties.Clear();
        foreach (var token in prompt)
            Penalties.AddPrompt(token);
        foreach (var token in generated)
            Penalties.AddGenerated(token);
    }

    /// <summary>Picks the next token and records it as generated. Allocates no memory.</summary>
    /// <param name="logits">[V], changed in place. −∞ forbids a token.</param>
    /// <returns>The token's id; with temperature 0 that of the largest logit, the lowest of equals.</returns>
    /// <exception cref="WeftException">A logit is NaN or +∞, or all are −∞: the model or its weights are broken.</exception>
    public int Sample(Span<float> logits)
    {
        var token = TrySample(logits);
        return token >= 0 ? token : throw Undrawable.Exception(token);
    }

    /// <summary><see cref="Sample"/>, but says by a code of <see cref="Undrawable"/> that no token can be drawn.</summary>
    internal int TrySample(Span<float> logits)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(logits.Length, vocabularySize);
        Penalties?.Apply(logits);
        var max = LogitScan.Max(logits);
        if (!float.IsFinite(max))
            return float.IsNaN(max) ? Undrawable.NotANumber : max > 0 ? Undrawable.Infinite : Undrawable.Forbidden;
        var token = Options.Temperature == 0 ? LogitScan.NextAtLeast(logits, 0, max) : Draw(logits, max);
        Penalties?.AddGenerated(token);
        Step++;
        return token;
    }

    private int Draw(Span<float> logits, float max)
    {
        var softmax = new SoftmaxWeights(max, Options.Temperature);
        var bound = Truncate(logits, softmax);
        var target = Philox.Uniform(Seed, Step) * Total(logits, bound, softmax);
        // The last chunk and token that weigh anything take what rounding may leave beyond the sum.
        var (chunk, before) = Find(chunkSums, target);
        var start = chunk * ChunkSize;
        FillChunk(logits, chunk, bound, softmax);
        var (token, _) = Find(weights.AsSpan(0, Math.Min(ChunkSize, vocabularySize - start)), target - before);
        return start + token;
    }

    /// <summary>The first index at which the cumulative sum exceeds <paramref name="target"/>, and the sum before it.</summary>
    private static (int Index, double Before) Find(ReadOnlySpan<double> values, double target)
    {
        var (index, before) = (-1, 0.0);
        for (var i = 0; i < values.Length && (index < 0 || before + values[index] <= target); i++)
        {
            if (values[i] == 0)
                continue;
            before += index < 0 ? 0 : values[index];
            index = i;
        }

        return (index, before);
    }

    private float Truncate(Span<float> logits, SoftmaxWeights softmax)
    {
        var bound = float.MinValue; // all but −∞
        if (Options.TopK > 0 && Options.TopK < vocabularySize)
            bound = selection.Reduce(logits, bound, Options.TopK, null);
        if (Options.TopP < 1)
        {
            // Tokens lighter than this share of what top-p may drop cannot, all together, weigh more than that: they need no look.
            var total = Total(logits, bound, softmax);
            bound = Math.Max(bound, softmax.LogitOf((1.0 - Options.TopP) * total / (2.0 * vocabularySize)));
            bound = selection.Reduce(logits, bound, Options.TopP * total, softmax);
        }

        return Options.MinP > 0 ? Math.Max(bound, softmax.LogitOf(Options.MinP)) : bound;
    }

    /// <summary>The weight of all kept tokens; leaves that of each chunk in <see cref="chunkSums"/>.</summary>
    private double Total(ReadOnlySpan<float> logits, float bound, SoftmaxWeights softmax)
    {
        var total = 0.0;
        for (var chunk = 0; chunk < chunkSums.Length; chunk++)
            total += chunkSums[chunk] = FillChunk(logits, chunk, bound, softmax);
        return total;
    }

    private double FillChunk(ReadOnlySpan<float> logits, int chunk, float bound, SoftmaxWeights softmax)
    {
        var slice = logits[(chunk * ChunkSize)..Math.Min((chunk + 1) * ChunkSize, vocabularySize)];
        return LogitScan.NextAtLeast(slice, 0, bound) == slice.Length ? 0 : softmax.Fill(slice, bound, weights);
    }
}
