namespace Weft.Graph;

/// <summary>The operations of one step in order, from token ids to logits.</summary>
/// <param name="Nodes">In execution order.</param>
/// <param name="Logits">The result, [R, V].</param>
public sealed record StepGraph(IReadOnlyList<Node> Nodes, Value Logits);
