using Weft.Models;

namespace Weft.Graph;

/// <summary>A stretch of the state that a model keeps of each sequence.</summary>
/// <param name="Offset">First number.</param>
/// <param name="Size">How many.</param>
public readonly record struct StateSlice(int Offset, int Size);

/// <summary>An operation of a recurrent block.</summary>
public abstract record RecurrentNode : Node
{
    /// <summary>The same node over other values.</summary>
    public abstract RecurrentNode Over(Func<Value, Value> map);
}

/// <summary>
/// An operation that goes through a sequence's tokens in order and carries a state from each to the next: from step to step it lies in the sequence's
/// slot.
/// </summary>
public abstract record StateNode(StateSlice State) : RecurrentNode;

/// <summary>y[n] = x[n − 1] − x[n], with zeros before a sequence's first token. State: x of the last token.</summary>
public sealed record TokenShiftNode(StateSlice State, Value X, Value Y) : StateNode(State)
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];

    /// <inheritdoc/>
    public override RecurrentNode Over(Func<Value, Value> map) => this with { X = map(X), Y = map(Y) };
}

/// <summary>y = x + delta · (w + adjustment); without an adjustment y = x + delta · w.</summary>
public sealed record MixNode(string Weight, Value X, Value Delta, Value? Adjustment, Value Y) : RecurrentNode
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => Adjustment is null ? [X, Delta] : [X, Delta, Adjustment];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];

    /// <inheritdoc/>
    public override RecurrentNode Over(Func<Value, Value> map) =>
        this with { X = map(X), Delta = map(Delta), Adjustment = Adjustment is null ? null : map(Adjustment), Y = map(Y) };
}

/// <summary>y = x + (other − x) · amount.</summary>
public sealed record LerpNode(Value X, Value Other, Value Amount, Value Y) : RecurrentNode
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X, Other, Amount];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];

    /// <inheritdoc/>
    public override RecurrentNode Over(Func<Value, Value> map) => this with { X = map(X), Other = map(Other), Amount = map(Amount), Y = map(Y) };
}

/// <summary>
/// By channel, y = (a + e^(first + k) · v) / (b + e^(first + k)), then a = e^decay · a + e^k · v and b = e^decay · b + e^k
/// (<see cref="TimeMixKind.Average"/>). State: a and b, both divided by e^m, and m.
/// </summary>
public sealed record AverageNode(StateSlice State, string Decay, string First, Value K, Value V, Value Y) : StateNode(State)
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [K, V];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];

    /// <inheritdoc/>
    public override RecurrentNode Over(Func<Value, Value> map) => this with { K = map(K), V = map(V), Y = map(Y) };
}

/// <summary>
/// Of each head, y[j] = Σᵢ r[i] · (S[i, j] + first[i] · k[i] · v[j]), then S[i, j] = w[i] · S[i, j] + k[i] · v[j], where w = e^decay of a tensor, or
/// e^(−e^d) of an input (<see cref="TimeMixKind.StaticDecay"/>, <see cref="TimeMixKind.DynamicDecay"/>). State: S.
/// </summary>
public sealed record DecayNode(StateSlice State, int HeadSize, string? Decay, Value? D, string First, Value R, Value K, Value V, Value Y) : StateNode(State)
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => D is null ? [R, K, V] : [R, K, V, D];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];

    /// <inheritdoc/>
    public override RecurrentNode Over(Func<Value, Value> map) => this with { D = D is null ? null : map(D), R = map(R), K = map(K), V = map(V), Y = map(Y) };
}

/// <summary>
/// Of each head, with κ = key_scale · k of length one, k' = k · (1 + (a − 1) · key_rate) and w = e^(−sigmoid(d) / √e):
/// S[i, j] = w[i] · S[i, j] − a[i] · κ[i] · Σₗ κ[l] · S[l, j] + k'[i] · v[j], then y[j] = Σᵢ r[i] · S[i, j] (<see cref="TimeMixKind.DeltaRule"/>). State: S.
/// </summary>
public sealed record DeltaRuleNode(StateSlice State, int HeadSize, string KeyScale, string KeyRate, Value R, Value D, Value K, Value V, Value A, Value Y) : StateNode(State)
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [R, D, K, V, A];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];

    /// <inheritdoc/>
    public override RecurrentNode Over(Func<Value, Value> map) => this with { R = map(R), D = map(D), K = map(K), V = map(V), A = map(A), Y = map(Y) };
}

/// <summary>Of each head, y = gate · (x + v · Σᵢ r[i] · k'[i] · first[i]), k' as in <see cref="DeltaRuleNode"/>.</summary>
public sealed record BonusNode(int HeadSize, string KeyRate, string First, Value R, Value K, Value V, Value A, Value Gate, Value X, Value Y) : RecurrentNode
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [R, K, V, A, Gate, X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];

    /// <inheritdoc/>
    public override RecurrentNode Over(Func<Value, Value> map) =>
        this with { R = map(R), K = map(K), V = map(V), A = map(A), Gate = map(Gate), X = map(X), Y = map(Y) };
}

/// <summary>y[n] = silu(b + Σₜ w[t] · x[n − taps + 1 + t]) by channel, with zeros before a sequence's first token. State: the last taps − 1 rows of x.</summary>
public sealed record ConvolutionNode(StateSlice State, int Taps, string Weight, string? Bias, Value X, Value Y) : StateNode(State)
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];

    /// <inheritdoc/>
    public override RecurrentNode Over(Func<Value, Value> map) => this with { X = map(X), Y = map(Y) };
}

/// <summary>
/// Of each channel, with Δ = softplus(step) within its limits: h[n] = e^(−Δ · e^decay[n]) · h[n] + Δ · B[n] · x, y = Σₙ C[n] · h[n] + skip · x
/// (<see cref="StateSpaceDescription"/>). State: h.
/// </summary>
public sealed record ScanNode(StateSlice State, StateSpaceDescription Space, string Decay, string Skip, Value X, Value Step, Value B, Value C, Value Y) : StateNode(State)
{
    /// <inheritdoc/>
    public override IReadOnlyList<Value> Inputs => [X, Step, B, C];

    /// <inheritdoc/>
    public override IReadOnlyList<Value> Outputs => [Y];

    /// <inheritdoc/>
    public override RecurrentNode Over(Func<Value, Value> map) => this with { X = map(X), Step = map(Step), B = map(B), C = map(C), Y = map(Y) };
}
