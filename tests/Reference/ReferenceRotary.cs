using Weft.Models;

namespace Weft.Reference;

/// <summary>Rotary position embedding (Su et al. 2021, arXiv 2104.09864), its scalings and xPos (Sun et al. 2022, arXiv 2212.10554), halves paired.</summary>
public static class ReferenceRotary
{
    /// <summary>The frequencies [R/2] in radians per position.</summary>
    /// <param name="rotary">Base and scaling.</param>
    /// <param name="headSize">D.</param>
    /// <param name="length">Tokens of the text, where they depend on that.</param>
    public static double[] Frequencies(RotaryDescription rotary, int headSize, int length = 0)
    {
        var size = rotary.Size ?? headSize;
        var plain = Plain(rotary.Theta, size);
        if (rotary.Spans)
            plain = [.. Enumerable.Range(0, size / 2).Select(i => Math.Pow(rotary.Theta, -4.0 * (i % (size / 4)) / size))];
        if (rotary.HalfFrequencies)
            plain = Array.ConvertAll(plain, frequency => (double)(Half)frequency);
        return rotary.Scaling switch
        {
            null => plain,
            { Kind: RotaryScalingKind.Linear } s => Array.ConvertAll(plain, f => f / s.Factor),
            { Kind: RotaryScalingKind.Llama3 } s => Array.ConvertAll(plain, f => Llama3(f, s)),
            { Kind: RotaryScalingKind.Yarn } s => Yarn(plain, rotary.Theta, s),
            { Kind: RotaryScalingKind.Dynamic } s => Plain(rotary.Theta * Math.Pow((s.Factor * Math.Max(length, s.OriginalContextLength) / s.OriginalContextLength) - (s.Factor - 1), size / (size - 2.0)), size),
            { Kind: RotaryScalingKind.DynamicSteps } s => Plain(rotary.Theta * Math.Pow(Math.Max(1, Math.Pow(2, Math.Ceiling(Math.Log2((double)length / s.OriginalContextLength) + 1)) - 1), size / (size - 2.0)), size),
            { Kind: RotaryScalingKind.LongRope } s => [.. plain.Select((f, i) => f / (length > s.OriginalContextLength ? s.LongDivisors ?? s.Divisors : s.Divisors)![i])],
            { Kind: var kind } => throw new ArgumentOutOfRangeException(nameof(rotary), kind, null),
        };
    }

    /// <summary>Turns the first R elements of each head of <paramref name="x"/> [N, heads, D] by the angles of its token's position, in place.</summary>
    /// <param name="x">Queries or keys.</param>
    /// <param name="positions">[N].</param>
    /// <param name="rotary">Frequencies and the factor on cos and sin.</param>
    /// <param name="headSize">D.</param>
    /// <param name="prompt">Tokens of the prompt; 0 for all. A base that grows with the text grows from there on with every token.</param>
    /// <param name="spans">[N] positions by which the second half of the pairs turns, where it has its own.</param>
    /// <param name="isKey">They are keys: xPos divides them by what it multiplies queries by.</param>
    public static void Apply(
        Span<double> x, ReadOnlySpan<int> positions, RotaryDescription rotary, int headSize, int prompt = 0, ReadOnlySpan<int> spans = default, bool isKey = false)
    {
        prompt = prompt > 0 ? prompt : positions.Length;
        var growsOn = rotary.Scaling?.Kind == RotaryScalingKind.Dynamic;
        var frequencies = Frequencies(rotary, headSize, prompt);
        var factor = rotary.Scaling is { Kind: RotaryScalingKind.Yarn or RotaryScalingKind.LongRope } scaling ? scaling.AttentionFactor : 1;
        var (half, width) = (frequencies.Length, x.Length / positions.Length);
        for (var start = 0; start < x.Length; start += headSize)
        {
            if (growsOn && positions[start / width] >= prompt)
                frequencies = Frequencies(rotary, headSize, positions[start / width] + 1);
            for (var i = 0; i < half; i++)
            {
                var angle = (rotary.Spans && i >= half / 2 ? spans : positions)[start / width] * frequencies[i];
                var scale = factor * Decay(rotary.Decay, (double)i / half, positions[start / width], isKey);
                var (sin, cos) = (Math.Sin(angle) * scale, Math.Cos(angle) * scale);
                var (a, b) = (x[start + i], x[start + half + i]);
                x[start + i] = (a * cos) - (b * sin);
                x[start + half + i] = (b * cos) + (a * sin);
            }
        }
    }

    /// <summary>ζ^(n / base), or one over it, ζ going from 2/7 to 1 along the head: position 0 is the origin, whichever the description has.</summary>
    private static double Decay(RotaryDecay? decay, double place, int position, bool isKey) =>
        decay is null ? 1 : Math.Pow((place + 0.4) / 1.4, (isKey ? -position : position) / decay.Base);

    private static double[] Plain(double theta, int size) => [.. Enumerable.Range(0, size / 2).Select(i => Math.Pow(theta, -2.0 * i / size))];

    private static double Llama3(double frequency, RotaryScaling s)
    {
        var wavelength = 2 * Math.PI / frequency;
        if (wavelength < s.OriginalContextLength / s.HighFrequencyFactor)
            return frequency;
        if (wavelength > s.OriginalContextLength / s.LowFrequencyFactor)
            return frequency / s.Factor;
        var kept = ((s.OriginalContextLength / wavelength) - s.LowFrequencyFactor) / (s.HighFrequencyFactor - s.LowFrequencyFactor);
        return ((1 - kept) * frequency / s.Factor) + (kept * frequency);
    }

    /// <summary>Dimensions that turn more than BetaFast times in the original context are kept, fewer than BetaSlow times divided.</summary>
    private static double[] Yarn(double[] plain, double theta, RotaryScaling s)
    {
        var size = plain.Length * 2;
        double Dimension(double rotations) =>
            size * Math.Log(s.OriginalContextLength / (rotations * 2 * Math.PI)) / (2 * Math.Log(theta));
        var (first, last) = (Dimension(s.BetaFast), Dimension(s.BetaSlow));
        var low = Math.Max(s.Unrounded ? first : Math.Floor(first), 0);
        var high = Math.Min(s.Unrounded ? last : Math.Ceiling(last), size - 1);
        if (low == high)
            high += 0.001; // as the published code: a ramp, if a steep one

        var result = new double[plain.Length];
        for (var i = 0; i < plain.Length; i++)
        {
            var divided = Math.Clamp((i - low) / (high - low), 0, 1);
            result[i] = (plain[i] / s.Factor * divided) + (plain[i] * (1 - divided));
        }

        return result;
    }
}
