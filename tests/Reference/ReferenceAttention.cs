using Weft.Models;

namespace Weft.Reference;

/// <summary>Causal attention of one sequence with grouped key/value heads.</summary>
public static class ReferenceAttention
{
    /// <summary>
    /// softmax(soft_cap(scale · q·kᵀ) + slope · distance + bias[distance]) · v over the positions that a query sees: itself and those before it, at most Window of
    /// them; a sink takes part in the softmax and has no value.
    /// </summary>
    /// <param name="q">[N, H, D].</param>
    /// <param name="k">[T, G, D]; row t is position t.</param>
    /// <param name="v">[T, G, D].</param>
    /// <param name="positions">[N] position of each query, below T.</param>
    /// <param name="attention">Sizes, scale, window and what changes scores.</param>
    /// <param name="sinks">[H], or empty for none.</param>
    /// <param name="prefix">How many keys, the first, every query sees.</param>
    /// <param name="bias">[H, 2K + 1] by distances of a key from −K to K, or empty for none.</param>
    /// <returns>[N, H, D].</returns>
    public static double[] Apply(
        ReadOnlySpan<double> q, ReadOnlySpan<double> k, ReadOnlySpan<double> v, ReadOnlySpan<int> positions, AttentionDescription attention, ReadOnlySpan<double> sinks = default,
        int prefix = 0, ReadOnlySpan<double> bias = default)
    {
        var (heads, groups, d) = (attention.QueryHeads, attention.KeyValueHeads, attention.HeadSize);
        var result = new double[q.Length];
        for (var n = 0; n < positions.Length; n++)
        {
            var last = Math.Max(positions[n], prefix - 1);
            var growth = attention.LogScaleFrom is { } from && positions[n] >= from ? Math.Log(positions[n] + 1) / Math.Log(from) : 1;
            var first = attention.Window is { } window ? Math.Max(0, last - window + 1) : 0;
            for (var h = 0; h < heads; h++)
            {
                var group = h / (heads / groups);
                var query = q.Slice(((n * heads) + h) * d, d);
                var weights = new double[last - first + (sinks.IsEmpty ? 1 : 2)];
                for (var t = first; t <= last; t++)
                {
                    var score = attention.Scale * growth * Dot(query, k.Slice(((t * groups) + group) * d, d));
                    score = attention.SoftCap is { } cap ? cap * Math.Tanh(score / cap) : score;
                    weights[t - first] = score + ((attention.AlibiSlopes?[h] ?? 0) * (t - last));
                    if (attention.BiasDistance is { } most)
                        weights[t - first] += bias[(h * ((2 * most) + 1)) + Math.Clamp(t - positions[n], -most, most) + most];
                }

                if (!sinks.IsEmpty)
                    weights[^1] = sinks[h];
                Softmax(weights);
                for (var t = first; t <= last; t++)
                {
                    for (var i = 0; i < d; i++)
                        result[(((n * heads) + h) * d) + i] += weights[t - first] * v[(((t * groups) + group) * d) + i];
                }
            }
        }

        return result;
    }

    /// <summary>Replaces scores by exp(score) / Σ exp(score).</summary>
    public static void Softmax(Span<double> scores)
    {
        var (max, sum) = (double.NegativeInfinity, 0.0);
        foreach (var score in scores)
            max = Math.Max(max, score);
        foreach (ref var score in scores)
            sum += score = Math.Exp(score - max);
        foreach (ref var score in scores)
            score /= sum;
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }
}
