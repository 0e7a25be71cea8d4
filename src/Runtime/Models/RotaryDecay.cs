namespace Weft.Models;

/// <summary>
/// xPos (Sun et al. 2022, arXiv 2212.10554): of a query at n and a key at m the product of pair i is multiplied by ζᵢ^((n − m) / Base), where
/// ζᵢ = (2i/R + 0.4) / 1.4. The query has ζᵢ^((n − Origin) / Base) of it and the key the rest, ζᵢ^((Origin − m) / Base), which is what the cache holds.
/// </summary>
public sealed record RotaryDecay
{
    // Powers of two that both may have on each side of one: whatever is multiplied then, keys of another place in the text too, stays inside float32 and bfloat16.
    private const double MostBits = 48;

    // And inside binary16, which has five bits of exponent.
    private const double MostHalfBits = 4;

    private const double Offset = 0.4;

    /// <summary>Tokens of distance over which a pair loses its ζ.</summary>
    public required double Base { get; init; }

    /// <summary>The position where nothing is scaled. It leaves products as they are and decides how large their factors get: least with half of the context.</summary>
    public required int Origin { get; init; }

    /// <summary>A query's factor; a key's is one over it.</summary>
    /// <param name="pair">i.</param>
    /// <param name="pairs">R/2.</param>
    /// <param name="position">n.</param>
    public double Factor(int pair, int pairs, int position) => Math.Pow((((double)pair / pairs) + Offset) / (1 + Offset), (position - Origin) / Base);

    /// <summary>Whether the factors of so many positions stay inside what computes with them.</summary>
    internal bool Fits(int positions) => Bits(positions) <= MostBits;

    /// <summary>Whether they stay inside binary16.</summary>
    internal bool FitsHalf(int positions) => Bits(positions) <= MostHalfBits;

    private double Bits(int positions) => Math.Max(Math.Abs((double)Origin), Math.Abs((double)positions - Origin)) / Base * Math.Log2((1 + Offset) / Offset);
}
