namespace Weft.Sampling;

/// <summary>Natural logarithms of the probabilities that a row of logits stands for: logit − ln Σ exp(logit), summed in double precision.</summary>
internal sealed class LogDistribution
{
    private readonly float[] logits;
    private double normalizer;

    /// <summary>Prepares for rows of <paramref name="vocabularySize"/> logits.</summary>
    public LogDistribution(int vocabularySize) => logits = new float[vocabularySize];

    /// <summary>Keeps a row of logits [V].</summary>
    public void Set(ReadOnlySpan<float> row)
    {
        row.CopyTo(logits);
        var max = LogitScan.Max(row);
        var sum = 0.0;
        foreach (var logit in row)
            sum += Math.Exp(logit - max);
        normalizer = max + Math.Log(sum);
    }

    /// <summary>The log-probability of a token and those of the <paramref name="top"/> most probable, the lowest id first among equals.</summary>
    public TokenLogProbabilities Of(int token, int top)
    {
        var best = new List<int>(top + 1);
        var bound = float.NegativeInfinity;
        for (var id = LogitScan.NextAtLeast(logits, 0, bound); top > 0 && id < logits.Length; id = LogitScan.NextAtLeast(logits, id + 1, bound))
        {
            var place = best.Count;
            while (place > 0 && logits[best[place - 1]] < logits[id])
                place--;
            if (place == top)
                continue;
            best.Insert(place, id);
            if (best.Count > top)
                best.RemoveAt(top);
            if (best.Count == top)
                bound = logits[best[^1]];
        }

        return new(Entry(token), [.. best.Select(Entry)]);
    }

    private LogProbability Entry(int token) => new(token, (float)(logits[token] - normalizer));
}
