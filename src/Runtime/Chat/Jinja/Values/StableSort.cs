namespace Weft.Chat.Jinja;

/// <summary>
/// Merge sort. Python's sort keeps equal values in their order, and what a comparison throws goes through to the caller; .NET's does neither.
/// </summary>
internal static class StableSort
{
    /// <summary>The items in order.</summary>
    public static T[] Sort<T>(IReadOnlyList<T> items, Func<T, T, bool> isLess, Budget budget)
    {
        budget.Elements(items.Count);
        var (from, to) = (items.ToArray(), new T[items.Count]);
        for (var width = 1; width < from.Length; width *= 2)
        {
            for (var begin = 0; begin < from.Length; begin += 2 * width)
                Merge(from, to, begin, Math.Min(begin + width, from.Length), Math.Min(begin + (2 * width), from.Length), isLess);
            (from, to) = (to, from);
        }

        return from;
    }

    private static void Merge<T>(T[] from, T[] to, int begin, int middle, int end, Func<T, T, bool> isLess)
    {
        var (left, right) = (begin, middle);
        for (var at = begin; at < end; at++)
            to[at] = left < middle && (right >= end || !isLess(from[right], from[left])) ? from[left++] : from[right++];
    }
}
