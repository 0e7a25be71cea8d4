namespace Weft;

/// <summary>Which rows of logits a forward pass computes.</summary>
public enum LogitRows
{
    /// <summary>None: only the cache is filled.</summary>
    None,

    /// <summary>The last token's.</summary>
    Last,

    /// <summary>Every token's.</summary>
    All,
}

/// <summary>One token sequence and its share of the key/value cache.</summary>
public sealed class Sequence : IDisposable
{
    /// <summary>T: tokens processed so far.</summary>
    public int Length => throw new NotImplementedException();

    /// <summary>Processes <paramref name="tokens"/> [N] after those already there, in chunks if they are many.</summary>
    /// <param name="tokens">Token ids, each below V.</param>
    /// <param name="rows">Which rows of logits to compute.</param>
    /// <param name="logits">Receives them: [N, V], [V] or nothing.</param>
    /// <exception cref="WeftException">The context or the cache is full, or an id is out of range.</exception>
    public void Forward(ReadOnlySpan<int> tokens, LogitRows rows, Span<float> logits) => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
