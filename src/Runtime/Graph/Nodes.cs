using Weft.Models;

namespace Weft.Graph;

/// <summary>How many rows a value has in a step: one per token, one per row of logits that the step asks for, or one per token of the step's sources.</summary>
public enum Rows
{
    /// <summary>N, the tokens of the step.</summary>
    Tokens,

    /// <summary>R, the rows of logits.</summary>
    Logits,

    /// <summary>The tokens of the sources that the step encodes; often none.</summary>
    Source,
}

/// <summary>A matrix [rows, Width] that a step computes; the backend chooses its element type.</summary>
/// <param name="Id">Unique in its graph.</param>
/// <param name="Rows">Symbolic number of rows.</param>
/// <param name="Width">Columns.</param>
public sealed record Value(int Id, Rows Rows, int Width);

/// <summary>One operation of a step. Reads <see cref="Inputs"/>, writes <see cref="Outputs"/>.</summary>
public abstract record Node
{
    /// <summary>Values that must be complete before the node runs.</summary>
    public abstract IReadOnlyList<Value> Inputs { get; }

    /// <summary>Values that the node writes. One that is also an input is updated in place.</summary>
    public abstract IReadOnlyList<Value> Outputs { get; }

    /// <summary>It belongs to the encoder: its rows are tokens of sources.</summary>
    public bool IsOfSource => Inputs.Concat(Outputs).Any(value => value.Rows == Rows.Source);
}

/// <summary>y[n] = scale · E[token_ids[n]] + P[positions[n]], without the table of positions where <paramref name="Positions"/> is null.</summary>
public sealed record EmbeddingNode(string Weight, float Scale, string? Positions, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>x[n] = table[positions[n]] where positions[n] is below count.</summary>
public sealed record VirtualRowsNode(string Table, int Count, Value X) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [X];
}

/// <summary>Keys and values of the tokens at positions below count become those of the table, in place of those that were written.</summary>
public sealed record VirtualKeysNode(int Cache, AttentionDescription Attention, string Table, int Count) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [];
}

/// <summary>y[n] = x[n] + P[positions[n]]; positions in the text or in the span.</summary>
public sealed record AddPositionsNode(string Positions, bool Spans, Value X, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>y[n] = P[positions[n]].</summary>
public sealed record PositionRowsNode(string Positions, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>y = norm(x) · w + b, each stretch of <paramref name="GroupSize"/> elements of a row by itself. Its tensors begin with <paramref name="Name"/>.</summary>
public sealed record NormNode(NormDescription Norm, string Name, int GroupSize, Value X, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>y = x · Wᵀ + b.</summary>
public sealed record LinearNode(string Weight, string? Bias, Value X, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>y = scale · a + b; in the graphs built here a is the residual stream.</summary>
public sealed record AddNode(float Scale, Value A, Value B, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [A, B];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>y = activation(gate) · up.</summary>
public sealed record GateNode(Activation Activation, Value Gate, Value Up, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [Gate, Up];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>y = activation(x).</summary>
public sealed record ActivationNode(Activation Activation, Value X, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>
/// y = Σ wᵢ · expertᵢ(x) over the experts that the router's logits choose, w being what they weigh (<see cref="ExpertsDescription"/>). The experts' tensors
/// begin with <paramref name="Name"/>.
/// </summary>
public sealed record ExpertsNode(FeedForwardDescription FeedForward, string Name, Value Router, Value X, Value Y) : Node
{
    /// <summary>Working memory, for backends that keep it among the values; null where they have their own.</summary>
    public ExpertScratch? Scratch { get; init; }

    /// <summary>The products that read the node's input: gate and up, or up alone.</summary>
    public IReadOnlyList<LinearSegment> Inner =>
        FeedForward.Plain ? [Segment("up", FeedForward.IntermediateSize)] : [Segment("gate", FeedForward.IntermediateSize), Segment("up", FeedForward.IntermediateSize)];

    /// <summary>The product that gives the experts' results: down.</summary>
    public LinearSegment Outer => Segment("down", Y.Width);

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [Router, X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => Scratch is { } scratch ? [Y, scratch.Routing, scratch.Hidden, scratch.Given] : [Y];

    private LinearSegment Segment(string name, int rows) =>
        new($"{Name}{name}.weight", FeedForward.Bias ? $"{Name}{name}.bias" : null, FeedForward.Experts!.Count * rows);
}

/// <summary>Working memory of an <see cref="ExpertsNode"/>. An assignment is one expert of one token; a token has as many as there are active experts.</summary>
/// <param name="Routing">[N, 8 · active] 32-bit words: experts chosen and what they weigh; assignments sorted by expert and where each went; tiles of them.</param>
/// <param name="Hidden">[assignments, F], rows padded: what the outer product reads.</param>
/// <param name="Given">[assignments, C], rows padded: what each expert gives.</param>
public sealed record ExpertScratch(Value Routing, Value Hidden, Value Given);

/// <summary>y = sigmoid(switch) · x, with one switch a row.</summary>
public sealed record SwitchNode(Value Switch, Value X, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [Switch, X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>y = x clamped to ±<paramref name="Limit"/>.</summary>
public sealed record ClampNode(float Limit, Value X, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>x = soft_cap(scale · row_scale · x), in place.</summary>
public sealed record ScaleLogitsNode(HeadDescription Head, Value X) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [X];
}

/// <summary>y = rotary(x, positions), head by head of <paramref name="HeadSize"/>.</summary>
public sealed record RotaryNode(RotaryDescription Rotary, int HeadSize, Value X, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>Writes keys and values of the step's tokens, or of its sources', to their slots in a cache.</summary>
public sealed record CacheWriteNode(int Cache, AttentionDescription Attention, Value Keys, Value Values) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [Keys, Values];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [];
}

/// <summary>Which positions a query sees.</summary>
public enum AttentionMask
{
    /// <summary>Its own and those before it.</summary>
    Causal,

    /// <summary>These, and all of its sequence's prefix.</summary>
    Prefix,

    /// <summary>All of its sequence.</summary>
    Full,

    /// <summary>All of the source of its sequence.</summary>
    Source,
}

/// <summary>
/// y = softmax(soft_cap(scale · q · Kᵀ) + slope · distance or bias[distance], masked) · V over a cache, with <paramref name="Sinks"/> and
/// <paramref name="DistanceBias"/> naming tensors, if there are any. Runs after the cache's write.
/// </summary>
public sealed record AttentionNode(int Cache, AttentionDescription Attention, AttentionMask Mask, string? Sinks, string? DistanceBias, Value Queries, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [Queries];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>y = x · Wᵀ head by head: head h of x [N, H·K] with W[h] of W [H, M, K] gives head h of y [N, H·M].</summary>
public sealed record HeadLinearNode(string Weight, int Heads, Value X, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>
/// Turns a part of each query head [N, H·R] and the key [N, R] of all heads; writes [turned key, latent] to the layer's cache and puts queries
/// [N, H·(R + L)] together from the turned parts and those that meet the latents [N, H·L].
/// </summary>
public sealed record LatentWriteNode(int Cache, AttentionDescription Attention, Value TurnedQueries, Value LatentQueries, Value TurnedKey, Value Latent, Value Queries) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [TurnedQueries, LatentQueries, TurnedKey, Latent];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Queries];
}

/// <summary>y[r] = x[logit_rows[r]].</summary>
public sealed record GatherRowsNode(Value X, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}
