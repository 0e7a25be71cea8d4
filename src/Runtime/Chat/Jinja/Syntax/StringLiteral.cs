using System.Globalization;
using System.Text;

namespace Weft.Chat.Jinja;

/// <summary>Reads a string literal with Python's escapes; one that Python does not know stays as it is written.</summary>
internal static class StringLiteral
{
    /// <summary>The literal whose quote is at <paramref name="at"/>.</summary>
    public static (TokenKind Kind, string Text, int End) Read(string source, int at, int line)
    {
        var text = new StringBuilder();
        var quote = source[at++];
        while (at < source.Length && source[at] != quote)
        {
            if (source[at] != '\\')
                text.Append(source[at++]);
            else if (at + 1 < source.Length)
                at = ReadEscape(source, at + 1, line, text);
            else
                break;
        }

        if (at >= source.Length)
            TemplateSyntax.Fail(line, $"the string is not closed with {quote}");
        return (TokenKind.String, text.ToString(), at + 1);
    }

    private static int ReadEscape(string source, int at, int line, StringBuilder text)
    {
        var escape = source[at++];
        switch (escape)
        {
            case '\n':
                return at;
            case 'x':
                return ReadHex(source, at, 2, line, text);
            case 'u':
                return ReadHex(source, at, 4, line, text);
            case 'U':
                return ReadHex(source, at, 8, line, text);
            case 'N':
                throw TemplateSyntax.Failure(line, "characters cannot be named in a string");
            case >= '0' and <= '7':
                return ReadOctal(source, at - 1, text);
        }

        var known = "\\'\"abfvnrt".IndexOf(escape, StringComparison.Ordinal);
        if (known < 0)
            text.Append('\\').Append(escape);
        else
            text.Append("\\'\"\a\b\f\v\n\r\t"[known]);
        return at;
    }

    private static int ReadHex(string source, int at, int digits, int line, StringBuilder text)
    {
        if (at + digits > source.Length ||
            !int.TryParse(source.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) ||
            value is < 0 or > 0x10FFFF)
        {
            throw TemplateSyntax.Failure(line, "an escape in a string lacks its hexadecimal digits");
        }

        if (value > char.MaxValue)
            text.Append(char.ConvertFromUtf32(value));
        else
            text.Append((char)value);
        return at + digits;
    }

    private static int ReadOctal(string source, int at, StringBuilder text)
    {
        var value = 0;
        for (var end = Math.Min(at + 3, source.Length); at < end && source[at] is >= '0' and <= '7'; at++)
            value = (value * 8) + source[at] - '0';
        text.Append((char)value);
        return at;
    }
}
