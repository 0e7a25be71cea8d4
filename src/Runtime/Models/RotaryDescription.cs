namespace Weft.Models;

/// <summary>
/// Rotary position embedding (Su et al. 2021, arXiv 2104.09864), halves paired: dimension i turns with i + R/2. The converter brings pairs of
/// neighbours into this order.
/// </summary>
public sealed record RotaryDescription
{
    /// <summary>R: the first so many dimensions of a head turn; null for all.</summary>
    public int? Size { get; init; }

    /// <summary>Base of the frequencies θ^(−2i/D).</summary>
    public required double Theta { get; init; }

    /// <summary>Change of the frequencies for contexts beyond the original training length; null for none.</summary>
    public RotaryScaling? Scaling { get; init; }

    /// <summary>The first R/4 pairs turn by the position in the text, the others, at the same frequencies θ^(−4i/R), by that in the span (<see cref="PrefixDescription"/>).</summary>
    public bool Spans { get; init; }

    /// <summary>The frequencies are rounded to binary16.</summary>
    public bool HalfFrequencies { get; init; }

    /// <summary>What a pair of a query gives with a key shrinks with their distance; null for not at all.</summary>
    public RotaryDecay? Decay { get; init; }
}

/// <summary>Which scaling of rotary frequencies.</summary>
public enum RotaryScalingKind
{
    /// <summary>Positions divided by the factor (Chen et al. 2023, arXiv 2306.15595).</summary>
    Linear,

    /// <summary>Low frequencies divided by the factor, high kept, a smooth ramp between (Llama 3.1 release).</summary>
    Llama3,

    /// <summary>NTK-by-parts interpolation with an attention temperature (Peng et al. 2023, arXiv 2309.00071).</summary>
    Yarn,

    /// <summary>Each frequency divided by a number of its own, with an attention temperature (LongRoPE; Ding et al. 2024, arXiv 2402.13753).</summary>
    LongRope,

    /// <summary>The base grows with the text beyond the original context (dynamic NTK; transformers release, 2023): θ · (factor · n/original − factor + 1)^(R/(R−2)).</summary>
    Dynamic,

    /// <summary>The base grows with the prompt, a step each time that it doubles (Qwen release, 2023): θ · (2^⌈log₂(n/original) + 1⌉ − 1)^(R/(R−2)).</summary>
    DynamicSteps,
}

/// <summary>Parameters of a rotary scaling; those that its kind does not use are zero.</summary>
public sealed record RotaryScaling
{
    /// <summary>Which formula.</summary>
    public required RotaryScalingKind Kind { get; init; }

    /// <summary>How many times longer the context becomes.</summary>
    public required double Factor { get; init; }

    /// <summary>Context length before scaling (all but Linear).</summary>
    public int OriginalContextLength { get; init; }

    /// <summary>Wavelengths above original/low are scaled in full (Llama3).</summary>
    public double LowFrequencyFactor { get; init; }

    /// <summary>Wavelengths below original/high are kept (Llama3).</summary>
    public double HighFrequencyFactor { get; init; }

    /// <summary>Rotations above which a dimension is kept (Yarn).</summary>
    public double BetaFast { get; init; }

    /// <summary>Rotations below which a dimension is interpolated in full (Yarn).</summary>
    public double BetaSlow { get; init; }

    /// <summary>The dimensions between which Yarn's ramp lies are not rounded to whole ones (gpt-oss release).</summary>
    public bool Unrounded { get; init; }

    /// <summary>Factor on cos and sin, already resolved by the converter (Yarn, LongRope).</summary>
    public double AttentionFactor { get; init; }

    /// <summary>[R/2] what the frequencies are divided by (LongRope).</summary>
    public IReadOnlyList<double>? Divisors { get; init; }

    /// <summary>[R/2] what they are divided by instead, of all tokens, where a text is longer than the original context (LongRope); null for the same.</summary>
    public IReadOnlyList<double>? LongDivisors { get; init; }

    /// <summary>By value, the lists too: layers that turn alike share a table.</summary>
    public bool Equals(RotaryScaling? other) => other is not null
        && (Kind, Factor, OriginalContextLength, LowFrequencyFactor, HighFrequencyFactor, BetaFast, BetaSlow, Unrounded, AttentionFactor)
            == (other.Kind, other.Factor, other.OriginalContextLength, other.LowFrequencyFactor, other.HighFrequencyFactor, other.BetaFast, other.BetaSlow, other.Unrounded, other.AttentionFactor)
        && (Divisors ?? []).SequenceEqual(other.Divisors ?? [])
        && (LongDivisors ?? []).SequenceEqual(other.LongDivisors ?? []);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Kind, Factor, OriginalContextLength, AttentionFactor);
}
