namespace Weft.Sampling;

/// <summary>
/// Finds the last token that top-k or top-p keeps, without sorting: a radix select. Both keep the shortest prefix of the tokens, in
/// order of falling logit and among equals of rising id, whose measure reaches a target; a token measures 1 for top-k and its weight
/// for top-p. Three histograms over ever lower bits of the logits find the prefix's end in time O(V) whatever the distribution.
/// </summary>
internal sealed class TopSelection
{
    private const int DigitBits = 11;
    private readonly double[] histogram = new double[1 << DigitBits];

    /// <summary>
    /// Reduces the logits [V] that are at least <paramref name="bound"/> to the shortest prefix that measures at least
    /// <paramref name="target"/>. Tokens equal to its last one that come after it become −∞.
    /// </summary>
    /// <param name="logits">The logits, none NaN and one at least <paramref name="bound"/>.</param>
    /// <param name="bound">Finite; only logits from here on take part.</param>
    /// <param name="target">Measure to reach; beyond reach, all are kept.</param>
    /// <param name="weights">What a token measures; null measures each as 1.</param>
    /// <returns>The bound from which on logits are kept.</returns>
    public float Reduce(Span<float> logits, float bound, double target, SoftmaxWeights? weights)
    {
        var before = 0.0; // measure of the tokens before those whose order begins with the prefix
        var prefix = 0u;
        for (var below = 32; below > 0;)
        {
            var bits = Math.Min(DigitBits, below);
            below -= bits;
            Count(logits, bound, prefix, bits, below, weights);
            var last = -1;
            for (var digit = (1 << bits) - 1; digit >= 0 && (last < 0 || before + histogram[last] < target); digit--)
            {
                if (histogram[digit] == 0)
                    continue;
                before += last < 0 ? 0 : histogram[last];
                last = digit;
            }

            prefix = (prefix << bits) | (uint)last;
            bound = Math.Max(bound, FromOrder(prefix << below));
        }

        DropTies(logits, bound, target - before, weights?.Of(bound) ?? 1);
        return bound;
    }

    private void Count(ReadOnlySpan<float> logits, float bound, uint prefix, int bits, int below, SoftmaxWeights? weights)
    {
        Array.Clear(histogram);
        var mask = (1u << bits) - 1;
        for (var i = LogitScan.NextAtLeast(logits, 0, bound); i < logits.Length; i = LogitScan.NextAtLeast(logits, i + 1, bound))
        {
            var digits = Order(logits[i]) >> below;
            if (((ulong)digits >> bits) == prefix)
                histogram[digits & mask] += weights?.Of(logits[i]) ?? 1;
        }
    }

    private static void DropTies(Span<float> logits, float last, double target, double measure)
    {
        var reached = 0.0;
        for (var i = LogitScan.NextAtLeast(logits, 0, last); i < logits.Length; i = LogitScan.NextAtLeast(logits, i + 1, last))
        {
            if (logits[i] != last)
                continue;
            if (reached > 0 && reached >= target)
                logits[i] = float.NegativeInfinity;
            reached += measure;
        }
    }

    /// <summary>An integer that orders as the float does; −0 and 0 are one.</summary>
    private static uint Order(float x)
    {
        var bits = BitConverter.SingleToUInt32Bits(x + 0f);
        return (bits & Sign) != 0 ? ~bits : bits | Sign;
    }

    /// <summary>The float of an order.</summary>
    private static float FromOrder(uint order) =>
        BitConverter.UInt32BitsToSingle((order & Sign) != 0 ? order ^ Sign : ~order);

    private const uint Sign = 0x80000000;
}
