namespace Weft.Models;

/// <summary>
/// The inverse frequencies of a rotary embedding, scaling applied. Angles are float32 products of position and frequency, as in the
/// implementations that the models were trained with: at long contexts their rounding is part of what a model has learnt.
/// </summary>
public sealed class RotaryFrequencies
{
    private RotaryFrequencies(float[] inverse, float magnitude)
    {
        Inverse = inverse;
        Magnitude = magnitude;
    }

    /// <summary>[R/2] radians per position.</summary>
    public IReadOnlyList<float> Inverse { get; }

    /// <summary>Factor on cosine and sine: 1, or the attention temperature of YaRN and LongRoPE.</summary>
    public float Magnitude { get; }

    /// <summary>Computes the frequencies of <paramref name="rotary"/> for heads of <paramref name="headSize"/>.</summary>
    /// <param name="rotary">Base and scaling.</param>
    /// <param name="headSize">D.</param>
    /// <param name="length">Where they depend on one.</param>
    public static RotaryFrequencies Compute(RotaryDescription rotary, int headSize, int length = 0)
    {
        var size = rotary.Size ?? headSize;
        if (RotaryLength.Counts(rotary))
            rotary = RotaryLength.Resolve(rotary, length, size);
        var inverse = new float[size / 2];
        // Text and span each have half of them.
        var (count, turned) = rotary.Spans ? (size / 4, size / 2) : (size / 2, size);
        for (var i = 0; i < inverse.Length; i++)
            inverse[i] = 1f / (float)Math.Pow(rotary.Theta, (float)(2 * (i % count)) / turned);
        for (var i = 0; rotary.HalfFrequencies && i < inverse.Length; i++)
            inverse[i] = (float)(Half)inverse[i];

        switch (rotary.Scaling)
        {
            case null:
                return new(inverse, 1);
            case { Kind: RotaryScalingKind.Linear } scaling:
                for (var i = 0; i < inverse.Length; i++)
                    inverse[i] /= (float)scaling.Factor;
                return new(inverse, 1);
            case { Kind: RotaryScalingKind.Llama3 } scaling:
                ScaleLlama3(inverse, scaling);
                return new(inverse, 1);
            case { Kind: RotaryScalingKind.Yarn } scaling:
                ScaleYarn(inverse, scaling, rotary.Theta, size);
                return new(inverse, (float)scaling.AttentionFactor);
            case { Kind: RotaryScalingKind.LongRope, Divisors: { } divisors } scaling:
                for (var i = 0; i < inverse.Length; i++)
                    inverse[i] /= (float)divisors[i];
                return new(inverse, (float)scaling.AttentionFactor);
            default:
                throw new ArgumentException($"unknown rotary scaling {rotary.Scaling.Kind}", nameof(rotary));
        }
    }

    private static void ScaleLlama3(float[] inverse, RotaryScaling scaling)
    {
        for (var i = 0; i < inverse.Length; i++)
        {
            var rotations = scaling.OriginalContextLength * inverse[i] / (2 * Math.PI);
            var kept = (rotations - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
            inverse[i] = Blend(inverse[i], scaling.Factor, kept);
        }
    }

    private static void ScaleYarn(float[] inverse, RotaryScaling scaling, double theta, int headSize)
    {
        // The dimension that turns the given number of times over the original context.
        double Dimension(double rotations) =>
            headSize * Math.Log(scaling.OriginalContextLength / (rotations * 2 * Math.PI)) / (2 * Math.Log(theta));

        var (first, last) = (Dimension(scaling.BetaFast), Dimension(scaling.BetaSlow));
        var low = Math.Max(scaling.Unrounded ? first : Math.Floor(first), 0);
        var high = Math.Min(scaling.Unrounded ? last : Math.Ceiling(last), headSize - 1);
        if (low == high)
            high += 0.001;
        for (var i = 0; i < inverse.Length; i++)
            inverse[i] = Blend(inverse[i], scaling.Factor, 1 - ((i - low) / (high - low)));
    }

    /// <summary>Between full scaling (<paramref name="kept"/> ≤ 0) and none (≥ 1).</summary>
    private static float Blend(float inverse, double factor, double kept)
    {
        kept = Math.Clamp(kept, 0, 1);
        return (float)((inverse * kept) + (inverse / factor * (1 - kept)));
    }
}
