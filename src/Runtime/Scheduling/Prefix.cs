using Weft.Models;

namespace Weft.Scheduling;

/// <summary>
/// Where a sequence's prefix ends and its blank is (<see cref="PrefixDescription"/>); the default is no prefix. The one place that decides it: whoever begins a
/// sequence asks here and gives the answer to every step. All of a prefix is computed in one step, for its first token sees the keys of its last.
/// </summary>
/// <param name="End">Place of the token that ends it; null for no prefix.</param>
/// <param name="Blank">Place of the blank; null for none.</param>
internal readonly record struct Prefix(int? End, int? Blank)
{
    /// <summary>Tokens that see each other.</summary>
    public int Length => End ?? 0;

    /// <summary>Finds the prefix of a prompt, which is all that is known of a sequence when it begins.</summary>
    public static Prefix Find(PrefixDescription? description, ReadOnlySpan<int> prompt)
    {
        if (description is null || prompt.IndexOf(description.EndToken) is not (>= 0 and var end))
            return default;
        foreach (var token in description.BlankTokens)
        {
            if (prompt[..end].IndexOf(token) is >= 0 and var blank)
                return new(end, blank);
        }

        return new(end, null);
    }

    /// <summary>Position in the text of the token at a place.</summary>
    public int TextPosition(int place) => place < End || End is null ? place : Blank ?? place;

    /// <summary>Position in the span of the token at a place.</summary>
    public int SpanPosition(int place) => place < End || End is null ? 0 : place - End.Value + 1;
}
