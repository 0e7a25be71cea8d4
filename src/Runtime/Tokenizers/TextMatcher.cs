namespace Weft.Tokenizers;

/// <summary>
/// Finds the longest of a set of texts at a position. The texts stand in order, so that those that go on as the text does are always
/// neighbours: what a character costs does not depend on how many of them begin alike.
/// </summary>
internal sealed class TextMatcher
{
    private readonly string[] sorted;
    private readonly Dictionary<char, (int Low, int High)> byFirst = [];
    private readonly System.Buffers.SearchValues<char> firsts;

    public TextMatcher(IEnumerable<string> texts)
    {
        sorted = [.. texts.Where(text => text.Length > 0).Distinct()];
        Array.Sort(sorted, string.CompareOrdinal);
        for (var i = 0; i < sorted.Length; i++)
            byFirst[sorted[i][0]] = (byFirst.TryGetValue(sorted[i][0], out var range) ? range.Low : i, i + 1);
        firsts = System.Buffers.SearchValues.Create([.. byFirst.Keys]);
    }

    /// <summary>Length of the longest text that stands at <paramref name="at"/>, or null.</summary>
    public int? LongestAt(ReadOnlySpan<char> text, int at)
    {
        if (!byFirst.TryGetValue(text[at], out var range))
            return null;
        int? longest = null;
        var (low, high) = range;
        for (var length = 1; low < high; length++)
        {
            // Of those with the same beginning, the one that ends here comes first.
            if (sorted[low].Length == length)
            {
                longest = length;
                low++;
            }

            if (at + length >= text.Length)
                break;
            var unit = text[at + length];
            low = FirstFrom(low, high, length, unit);
            high = FirstFrom(low, high, length, unit + 1);
        }

        return longest;
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

    /// <summary>The first text of a range whose character at a place is not below <paramref name="unit"/>.</summary>
    private int FirstFrom(int low, int high, int place, int unit)
    {
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (sorted[middle][place] < unit)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
