using System.Numerics;

namespace Weft.Sampling;

/// <summary>
/// The weight exp((logit − max) / temperature) of a token: its probability up to a common factor, 1 for the most probable token. In
/// double, because sums over V weights decide which token is drawn and which is the last one that top-p keeps.
/// </summary>
/// <param name="Max">The largest logit.</param>
/// <param name="Temperature">Positive.</param>
internal readonly record struct SoftmaxWeights(float Max, float Temperature)
{
    /// <summary>The weight of one logit.</summary>
    public double Of(float logit) => Math.Exp(((double)logit - Max) / Temperature);

    /// <summary>The smallest logit whose weight is at least <paramref name="weight"/>.</summary>
    public float LogitOf(double weight)
    {
        var logit = Max + (Temperature * Math.Log(weight));
        var rounded = (float)logit;
        return rounded < logit ? MathF.BitIncrement(rounded) : rounded;
    }

    /// <summary>Writes the weights of those logits that are at least <paramref name="bound"/> and 0 for the others.</summary>
    /// <returns>Their sum.</returns>
    public double Fill(ReadOnlySpan<float> logits, float bound, Span<double> weights)
    {
        var bounds = new Vector<double>(bound);
        var (low, high) = (Vector<double>.Zero, Vector<double>.Zero);
        var i = 0;
        for (; i + Vector<float>.Count <= logits.Length; i += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(logits[i..]), out var l, out var h);
            l = Vector.ConditionalSelect(Vector.GreaterThanOrEqual(l, bounds), Of(l), Vector<double>.Zero);
            h = Vector.ConditionalSelect(Vector.GreaterThanOrEqual(h, bounds), Of(h), Vector<double>.Zero);
            l.CopyTo(weights[i..]);
            h.CopyTo(weights[(i + Vector<double>.Count)..]);
            low += l;
            high += h;
        }

        var sum = Vector.Sum(low + high);
        for (; i < logits.Length; i++)
        {
            weights[i] = logits[i] >= bound ? Of(logits[i]) : 0;
            sum += weights[i];
        }

        return sum;
    }

    private Vector<double> Of(Vector<double> logits) => Vector.Exp((logits - new Vector<double>(Max)) / new Vector<double>(Temperature));
}
