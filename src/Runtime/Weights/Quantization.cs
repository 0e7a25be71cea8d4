namespace Weft.Weights;

/// <summary>
/// What the codes of a quantized matrix stand for: w = (code − zero point) · scale, with one scale, and where they differ from the middle of
/// the codes one zero point, for GroupSize neighbouring columns of a row.
/// </summary>
public sealed record Quantization
{
    /// <summary>Columns that share a scale: 32, a multiple of 64 that divides K, or K.</summary>
    public required int GroupSize { get; init; }

    /// <summary>Zero points are stored; otherwise each is half the number of codes.</summary>
    public bool ZeroPoints { get; init; }

    /// <summary>Zero points lie anywhere: each is half the number of codes and an f16, which is finest near there; otherwise they are codes.</summary>
    public bool Fractional { get; init; }

    /// <summary>Columns are in another order than the input, so that groups are neighbours (act-order): the order is stored.</summary>
    public bool Permuted { get; init; }
}
