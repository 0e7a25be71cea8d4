namespace Weft.Chat.Jinja;

/// <summary>Finding, counting and replacing text; what comes out is paid for before it is made.</summary>
internal static class TextSearch
{
    /// <summary>str.replace: the first <paramref name="count"/> occurrences, or all when it is negative.</summary>
    public static string Replace(string text, string old, string replacement, long count, RenderState state)
    {
        if (old.Length == 0)
            return Interleave(text, replacement, count, state);
        var found = Count(text, old, count, state);
        if (found == 0)
            return text;
        state.Budget.Text(text.Length + (found * ((long)replacement.Length - old.Length)));
        if (count < 0)
            return text.Replace(old, replacement, StringComparison.Ordinal);
        var result = new System.Text.StringBuilder();
        var done = 0;
        for (; found > 0; found--)
        {
            var at = text.IndexOf(old, done, StringComparison.Ordinal);
            result.Append(text, done, at - done).Append(replacement);
            done = at + old.Length;
        }

        return result.Append(text, done, text.Length - done).ToString();
    }

    /// <summary>Occurrences that do not overlap, at most <paramref name="limit"/> unless it is negative.</summary>
    public static long Count(string text, string part, long limit, RenderState state)
    {
        state.Budget.Search(text.Length, part.Length);
        var count = 0L;
        for (var at = 0; count != limit && (at = text.IndexOf(part, at, StringComparison.Ordinal)) >= 0; at += part.Length)
            count++;
        state.Budget.Elements(count);
        return count;
    }

    // The empty text occurs before each character and at the end.
    private static string Interleave(string text, string replacement, long count, RenderState state)
    {
        var output = new TextBuilder(state.Budget);
        var at = 0;
        for (var left = count < 0 ? long.MaxValue : count; left > 0; left--)
        {
            output.Append(replacement);
            if (at >= text.Length)
                break;
            var length = CodePoints.LengthAt(text, at);
            output.Append(text.AsSpan(at, length));
            at += length;
        }

        return output.Append(text.AsSpan(at)).ToString();
    }
}
