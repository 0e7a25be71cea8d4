namespace Weft;

/// <summary>How the hidden states of a text's tokens become its embedding.</summary>
public enum Pooling
{
    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>The last token's, which has seen all others.</summary>
    Last,
}
