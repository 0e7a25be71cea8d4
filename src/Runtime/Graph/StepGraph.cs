namespace Weft.Graph;

/// <summary>The operations of one step in order, from token ids to logits.</summary>
/// <param name="Nodes">In execution order.</param>
/// <param name="Logits">The result, [R, V].</param>
/// <param name="Hidden">What the final norm reads, [R, C]: a result, too, of which embeddings are made.</param>
public sealed record StepGraph(IReadOnlyList<Node> Nodes, Value Logits, Value Hidden)
{
    /// <summary>Numbers of the state that is kept of each sequence; 0 for a model without recurrent blocks.</summary>
    public int StateSize { get; init; }
}
