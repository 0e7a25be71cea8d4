using Weft.Models;

namespace Weft.Graph;

/// <summary>One weight matrix of a fused product.</summary>
/// <param name="Weight">Tensor name of W [M, K].</param>
/// <param name="Bias">Tensor name of b [M], or null.</param>
/// <param name="Rows">M.</param>
public sealed record LinearSegment(string Weight, string? Bias, int Rows);

/// <summary>
/// One launch for several products of the same input. Without an activation, y holds the segments' results side by side. With an activation
/// and two segments, gate and up, the first half of each row of y becomes activation(gate) · up; with one, y becomes activation(y). With
/// <paramref name="Accumulate"/>, the only segment's result is added to y, the residual stream.
/// </summary>
public sealed record FusedLinearNode(IReadOnlyList<LinearSegment> Segments, Activation? Activation, bool Accumulate, Value X, Value Y) : Node
{
    /// <summary>Where in each row of y the result begins; 0 but where several products write y (<see cref="Fusion.SplitUnlike"/>).</summary>
    public int Column { get; init; }

    /// <summary>The activation of a gate; null where there is none.</summary>
    public Activation? Gate => Segments.Count == 2 ? Activation : null;

    /// <summary>The activation of the only product; null where there is none.</summary>
    public Activation? Epilogue => Segments.Count == 1 ? Activation : null;

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => Accumulate ? [X, Y] : [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>A norm and the only product that reads it, for backends that norm few rows inside the product. The norm's own result is scratch.</summary>
public sealed record NormedLinearNode(NormNode Norm, FusedLinearNode Linear) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [Norm.X, .. Linear.Inputs.Where(value => value != Norm.Y)];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Norm.Y, Linear.Y];
}

/// <summary>
/// The first half of each row of y becomes activation(gate) · up of its halves, in place: what a <see cref="FusedLinearNode"/> does itself where gate and up are one product.
/// </summary>
public sealed record GateHalvesNode(Activation Activation, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [Y];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>y = [a, b]: the joint result of products that read different inputs.</summary>
public sealed record JoinNode(Value A, Value B, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [A, B];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>y = x, rounded to what products and attention read, for backends that keep the residual stream more exactly than that.</summary>
public sealed record RoundNode(Value X, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>
/// y = x with other places for its heads: each has zeros behind it, or loses them again, for backends whose attention has kernels for some sizes of heads alone. Rounds as
/// <see cref="RoundNode"/> does.
/// </summary>
public sealed record CopyHeadsNode(int Heads, Value X, Value Y) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];
}

/// <summary>
/// Norms the queries and keys in the joint result of the query, key and value products [N, (H + 2G)·D], in place. The norms' tensors begin
/// with <paramref name="QueryName"/> and <paramref name="KeyName"/>.
/// </summary>
public sealed record HeadNormNode(AttentionDescription Attention, string QueryName, string KeyName, Value QueriesKeysValues) : Node
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [QueriesKeysValues];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [QueriesKeysValues];
}

/// <summary>
/// Takes the joint result of the query, key and value products [N, (H + 2G)·D], turns the queries, which it leaves in place or writes to a
/// value of their own, and writes turned keys and values to a cache. Where nothing turns, it writes alone; for attention to a source there are no queries, H = 0.
/// </summary>
public sealed record RotaryCacheWriteNode(int Cache, AttentionDescription Attention, Value QueriesKeysValues, Value Queries) : Node
{
    /// <summary>The norm of heads after they turn, or before for backends that norm and turn in one launch; null where it is a node of its own or none.</summary>
    public HeadNormNode? Norm { get; init; }

    /// <summary>The clamp before everything else, for backends that clamp in the same launch; null where it is a node of its own or none.</summary>
    public float? Clip { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [QueriesKeysValues];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Queries];
}
