using System.Buffers;
using System.Globalization;
using System.Text;

namespace Weft.Chat.Jinja;

/// <summary>What Python means by white space, by a line, by a printable character and by repr() of a text.</summary>
internal static class PythonText
{
    private static readonly SearchValues<char> LineEnds = SearchValues.Create("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029");

    /// <summary>Whether str.isspace() holds: the information separators are white space too.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    /// <summary>Whether every character is white space.</summary>
    public static bool ContainsOnlySpace(this ReadOnlySpan<char> text)
    {
        foreach (var c in text)
        {
            if (!IsSpace(c))
                return false;
        }

        return true;
    }

    /// <summary>The text without white space at its end.</summary>
    public static string TrimEnd(string text) => Strip(text, null, left: false, right: true);

    /// <summary>The text without the characters at its ends, or without white space.</summary>
    /// <param name="text">The text.</param>
    /// <param name="characters">Characters to remove; null for white space.</param>
    /// <param name="left">Whether to remove them from the beginning.</param>
    /// <param name="right">Whether to remove them from the end.</param>
    public static string Strip(string text, string? characters, bool left, bool right)
    {
        var removed = characters?.EnumerateRunes().ToHashSet();
        var (from, to) = (0, text.Length);
        while (left && from < to && Rune.DecodeFromUtf16(text.AsSpan(from, to - from), out var rune, out var used) == 0 && IsRemoved(rune))
            from += used;
        while (right && from < to && Rune.DecodeLastFromUtf16(text.AsSpan(from, to - from), out var rune, out var used) == 0 && IsRemoved(rune))
            to -= used;
        return text[from..to];

        bool IsRemoved(Rune rune) => removed?.Contains(rune) ?? (rune.IsBmp && IsSpace((char)rune.Value));
    }

    /// <summary>The lines of a text, as str.splitlines() cuts them.</summary>
    public static List<string> Lines(string text, bool keepEnds = false)
    {
        var lines = new List<string>();
        for (var at = 0; at < text.Length;)
        {
            var end = text.AsSpan(at).IndexOfAny(LineEnds);
            end = end < 0 ? text.Length : at + end;
            var next = end;
            if (end < text.Length)
                next += text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? 2 : 1;
            lines.Add(text[at..(keepEnds ? next : end)]);
            at = next;
        }

        return lines;
    }

    /// <summary>Writes repr() of a text: single quotes, unless it has such and no double ones.</summary>
    public static void Quote(string text, TextBuilder output)
    {
        var quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        output.Append(quote);
        var done = 0;
        for (var at = 0; at < text.Length;)
        {
            var length = CodePoints.LengthAt(text, at);
            if (text[at] == quote || text[at] == '\\' || !IsPrintable(text, at))
            {
                output.Append(text.AsSpan(done, at - done));
                Escape(text, at, length, output);
                done = at + length;
            }

            at += length;
        }

        output.Append(text.AsSpan(done)).Append(quote);
    }

    private static bool IsPrintable(string text, int at) => text[at] is >= ' ' and <= '~' || CharUnicodeInfo.GetUnicodeCategory(text, at) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or
        UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    private static void Escape(string text, int at, int length, TextBuilder output)
    {
        var codePoint = length == 2 ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at];
        if ("\n\r\t\\'\"".IndexOf(text[at], StringComparison.Ordinal) is var known and >= 0)
            output.Append('\\').Append("nrt\\'\""[known]);
        else if (codePoint <= 0xff)
            output.AppendEscape('x', codePoint, 2);
        else if (codePoint <= 0xffff)
            output.AppendEscape('u', codePoint, 4);
        else
            output.AppendEscape('U', codePoint, 8);
    }
}
