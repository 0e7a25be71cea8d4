namespace Weft.Models;

/// <summary>The nonlinearity of a feed-forward block.</summary>
public enum Activation
{
    /// <summary>x · sigmoid(x).</summary>
    Silu,

    /// <summary>x · Φ(x), exact through erf.</summary>
    Gelu,

    /// <summary>The tanh approximation of gelu.</summary>
    GeluTanh,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>max(x, 0)².</summary>
    ReluSquared,

    /// <summary>x · sigmoid(1.702·x).</summary>
    QuickGelu,

    /// <summary>1 / (1 + e⁻ˣ).</summary>
    Sigmoid,

    /// <summary>The hyperbolic tangent.</summary>
    Tanh,
}

/// <summary>Feed-forward: down(activation(gate(x)) · up(x)) (Shazeer 2020, arXiv 2002.05202), or down(activation(up(x))) without a gate.</summary>
public sealed record FeedForwardDescription
{
    /// <summary>There is no gate.</summary>
    public bool Plain { get; init; }

    /// <summary>F.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>The nonlinearity.</summary>
    public required Activation Activation { get; init; }

    /// <summary>All its projections have a bias.</summary>
    public bool Bias { get; init; }

    /// <summary>
    /// L of experts' gates that are clamped: activation(min(gate(x), L)) · (clamp(up(x), ±L) + 1) is what down reads (gpt-oss release, 2025); null for none.
    /// </summary>
    public float? Limit { get; init; }

    /// <summary>It reads x + w · (the previous token's x − x), with a w [C] of its own.</summary>
    public bool TokenShift { get; init; }

    /// <summary>Its result is multiplied by sigmoid(receptance · x), x shifted with another w (with <see cref="TokenShift"/>; RWKV's channel mixing).</summary>
    public bool Receptance { get; init; }

    /// <summary>There are many such blocks, of which each token goes through a few; null for one.</summary>
    public ExpertsDescription? Experts { get; init; }
}

/// <summary>How a router's logits become scores.</summary>
public enum RouterScore
{
    /// <summary>exp(logit) / Σ exp, over all experts.</summary>
    Softmax,

    /// <summary>1 / (1 + exp(−logit)), each by itself.</summary>
    Sigmoid,
}

/// <summary>
/// A mixture of experts (Shazeer et al. 2017, arXiv 1701.06538): s = score(router · x), y = scale · Σ sᵢ · expertᵢ(x) over the experts that are chosen, those
/// with the largest s, plus what an expert gives that every token goes through.
/// </summary>
public sealed record ExpertsDescription
{
    /// <summary>E.</summary>
    public required int Count { get; init; }

    /// <summary>How many a token goes through.</summary>
    public required int Active { get; init; }

    /// <summary>What the router's logits become.</summary>
    public RouterScore Score { get; init; }

    /// <summary>The router has a bias.</summary>
    public bool RouterBias { get; init; }

    /// <summary>There is a bias that is added to the scores for choosing, not for weighing (Wang et al. 2024, arXiv 2408.15664).</summary>
    public bool SelectionBias { get; init; }

    /// <summary>A token goes through experts of a few groups; null where experts are not grouped.</summary>
    public ExpertGroupsDescription? Groups { get; init; }

    /// <summary>The scores of the chosen are divided by their sum. With softmax that is a softmax over the chosen alone.</summary>
    public bool Normalized { get; init; }

    /// <summary>
    /// An expert's score is a softmax over itself and those that are not chosen before it whose logits l are near its own, m: (m − l) / max(|l|, m) ≤ margin (SparseMixer; Liu et
    /// al. 2024, arXiv 2409.12136). Null for one over all experts.
    /// </summary>
    public float? Margin { get; init; }

    /// <summary>Factor on the sum; null for 1.</summary>
    public float? Scale { get; init; }

    /// <summary>Width of the expert that every token goes through; null for none.</summary>
    public int? SharedSize { get; init; }

    /// <summary>What that expert gives is multiplied by sigmoid(switch · x).</summary>
    public bool SharedSwitch { get; init; }
}

/// <summary>
/// Experts in groups of neighbours: experts are chosen from the groups with the largest sum of their <see cref="Leading"/> largest scores, selection bias
/// included (with 1 DeepSeek-V2, arXiv 2405.04434; with 2 DeepSeek-V3, arXiv 2412.19437).
/// </summary>
public sealed record ExpertGroupsDescription
{
    /// <summary>How many there are; divides the experts.</summary>
    public required int Count { get; init; }

    /// <summary>How many a token's experts are chosen from.</summary>
    public required int Active { get; init; }

    /// <summary>How many of a group's scores speak for it.</summary>
    public required int Leading { get; init; }
}
