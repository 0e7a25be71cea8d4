namespace Weft.Chat.Jinja;

/// <summary>Text by code points: a pair of surrogates is one.</summary>
internal static class CodePoints
{
    /// <summary>How many there are.</summary>
    public static int Count(string text)
    {
        var first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDBFF');
        if (first < 0)
            return text.Length;
        var count = first;
        for (var at = first; at < text.Length; at += LengthAt(text, at))
            count++;
        return count;
    }

    /// <summary>Characters of the code point at <paramref name="at"/>: 1 or 2.</summary>
    public static int LengthAt(string text, int at) =>
        char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]) ? 2 : 1;

    /// <summary>Where the code point with that index begins in the text.</summary>
    public static int ToOffset(StringValue value, int index)
    {
        if (value.IsPlain)
            return index;
        var at = 0;
        for (; index > 0; index--)
            at += LengthAt(value.Text, at);
        return at;
    }

    /// <summary>The index of the code point that begins at an offset of the text.</summary>
    public static int ToIndex(StringValue value, int offset) => value.IsPlain ? offset : Count(value.Text[..offset]);

    /// <summary>Where each code point begins, and where the last ends.</summary>
    public static int[] Offsets(string text)
    {
        var offsets = new int[Count(text) + 1];
        var at = 0;
        for (var i = 0; i < offsets.Length; i++)
        {
            offsets[i] = at;
            at += at < text.Length ? LengthAt(text, at) : 0;
        }

        return offsets;
    }

    /// <summary>Compares by code points: as characters, surrogates would come before U+E000 to U+FFFF.</summary>
    public static int Compare(string left, string right)
    {
        var same = left.AsSpan().CommonPrefixLength(right);
        if (same == left.Length || same == right.Length)
            return left.Length.CompareTo(right.Length);
        return Rank(left[same]).CompareTo(Rank(right[same]));

        static int Rank(char c) => char.IsSurrogate(c) ? c + 0x10000 : c;
    }
}
