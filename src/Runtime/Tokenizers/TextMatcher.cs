namespace Weft.Tokenizers;

/// <summary>Finds the longest of a set of texts at a position; few texts share a first character, so a bucket per character does.</summary>
internal sealed class TextMatcher
{
    private readonly Dictionary<char, string[]> byFirst;
    private readonly System.Buffers.SearchValues<char> firsts;

    public TextMatcher(IEnumerable<string> texts)
    {
        byFirst = texts.Where(text => text.Length > 0).Distinct().GroupBy(text => text[0])
            .ToDictionary(group => group.Key, group => group.OrderByDescending(text => text.Length).ToArray());
        firsts = System.Buffers.SearchValues.Create([.. byFirst.Keys]);
    }

    /// <summary>Length of the longest text that stands at <paramref name="at"/>, or null.</summary>
    public int? LongestAt(ReadOnlySpan<char> text, int at)
    {
        if (!byFirst.TryGetValue(text[at], out var candidates))
            return null;
        foreach (var candidate in candidates)
        {
            if (text[at..].StartsWith(candidate, StringComparison.Ordinal))
                return candidate.Length;
        }

        return null;
    }

    /// <summary>The next place from <paramref name="from"/> on at which one of the texts stands.</summary>
    public bool TryFind(ReadOnlySpan<char> text, int from, out int at, out int length)
    {
        for (at = from; at < text.Length; at++)
        {
            var next = text[at..].IndexOfAny(firsts);
            if (next < 0)
                break;
            at += next;
            if (LongestAt(text, at) is { } found)
            {
                length = found;
                return true;
            }
        }

        length = 0;
        return false;
    }
}
