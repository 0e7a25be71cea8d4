using Weft.Sampling;

namespace Weft.Reference;

/// <summary>Sampling as the papers define it, with a full sort and in double: what <see cref="Sampler"/> must agree with.</summary>
public static class ReferenceSampler
{
    /// <summary>
    /// The distribution [V] that the next token is drawn from: zero for tokens that are not kept.
    /// </summary>
    /// <param name="logits">[V].</param>
    /// <param name="options">How to draw; temperature above 0.</param>
    /// <param name="prompt">Tokens of the prompt.</param>
    /// <param name="generated">Tokens generated so far.</param>
    public static double[] Distribution(
        ReadOnlySpan<float> logits, SamplingOptions options, ReadOnlySpan<int> prompt, ReadOnlySpan<int> generated)
    {
        var scaled = Penalized(logits, options, prompt, generated).Select(l => l / (double)options.Temperature).ToArray();
        var probabilities = Softmax(scaled);

        // Order by falling logit; OrderBy is stable, so equals stay in the order of their ids.
        var order = Enumerable.Range(0, logits.Length).Where(i => !double.IsNegativeInfinity(scaled[i])).OrderByDescending(i => scaled[i]).ToList();
        if (options.TopK > 0)
            order = [.. order.Take(options.TopK)];
        if (options.TopP < 1)
            order = TopP(order, probabilities, options.TopP);
        if (options.MinP > 0)
            order = [.. order.Where(i => probabilities[i] >= options.MinP * probabilities[order[0]])];

        var sum = order.Sum(i => probabilities[i]);
        var result = new double[logits.Length];
        foreach (var i in order)
            result[i] = probabilities[i] / sum;
        return result;
    }

    /// <summary>The first token, in order of the ids, at which the cumulative distribution exceeds <paramref name="uniform"/>.</summary>
    public static int Draw(ReadOnlySpan<double> distribution, double uniform)
    {
        var cumulative = 0.0;
        for (var i = 0; i < distribution.Length; i++)
        {
            cumulative += distribution[i];
            if (cumulative > uniform)
                return i;
        }

        return distribution.LastIndexOfAnyExcept(0.0);
    }

    /// <summary>The logits after penalties: repetition over prompt and generated tokens, presence and frequency over generated.</summary>
    public static double[] Penalized(
        ReadOnlySpan<float> logits, SamplingOptions options, ReadOnlySpan<int> prompt, ReadOnlySpan<int> generated)
    {
        var result = new double[logits.Length];
        for (var i = 0; i < logits.Length; i++)
        {
            double logit = logits[i];
            if (prompt.Contains(i) || generated.Contains(i))
                logit = logit > 0 ? logit / options.RepetitionPenalty : logit * options.RepetitionPenalty;
            var times = generated.Count(i);
            logit -= times * (double)options.FrequencyPenalty;
            logit -= times > 0 ? options.PresencePenalty : 0;
            result[i] = logit;
        }

        return result;
    }

    private static double[] Softmax(double[] logits)
    {
        var max = logits.Max();
        var weights = logits.Select(l => Math.Exp(l - max)).ToArray();
        var sum = weights.Sum();
        return [.. weights.Select(w => w / sum)];
    }

    private static List<int> TopP(List<int> order, double[] probabilities, double p)
    {
        var total = order.Sum(i => probabilities[i]);
        var kept = new List<int>();
        var cumulative = 0.0;
        foreach (var i in order)
        {
            kept.Add(i);
            cumulative += probabilities[i];
            if (cumulative >= p * total)
                break;
        }

        return kept;
    }
}
