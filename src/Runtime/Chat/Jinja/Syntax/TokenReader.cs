using System.Globalization;

namespace Weft.Chat.Jinja;

/// <summary>Reads one token inside a tag: a number, a name, a string or an operator.</summary>
internal static class TokenReader
{
    // Longer operators first, so that '**' is not read as two '*'.
    private static readonly string[] Operators =
    [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
    ];

    /// <summary>The token at <paramref name="at"/> and where it ends.</summary>
    public static (TokenKind Kind, string Text, int End) Read(string source, int at, int line)
    {
        var first = source[at];
        if (char.IsAsciiDigit(first))
            return Number(source, at);
        if (IsWord(first))
            return Name(source, at, line);
        if (first is '\'' or '"')
            return StringLiteral.Read(source, at, line);
        foreach (var text in Operators)
        {
            if (string.CompareOrdinal(source, at, text, 0, text.Length) == 0)
                return (TokenKind.Operator, text, at + text.Length);
        }

        throw TemplateSyntax.Failure(line, $"the character '{first}' is unexpected");
    }

    private static bool IsWord(char c) => c == '_' || char.IsLetterOrDigit(c) ||
        CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;

    private static (TokenKind, string, int) Name(string source, int at, int line)
    {
        var end = at;
        while (end < source.Length && IsWord(source[end]))
            end++;
        var name = source[at..end];
        // Python's own names: the sandbox has nothing behind them, and a template that asks for one means no good.
        if (name.StartsWith("__", StringComparison.Ordinal))
            TemplateSyntax.Fail(line, $"the name '{name}' begins with two underscores, which is not allowed");
        return (TokenKind.Name, name, end);
    }

    private static (TokenKind, string, int) Number(string source, int at)
    {
        // After a dot digits are an index: a.0.1 is (a.0).1, not a.(0.1).
        if ((at == 0 || source[at - 1] != '.') && EndOfFloat(source, at) is var end and > 0)
            return (TokenKind.Float, Plain(source, at, end), end);
        if (source[at] == '0' && at + 1 < source.Length && EndOfPrefixed(source, at) is var prefixed and > 0)
            return (TokenKind.Integer, Plain(source, at, prefixed), prefixed);
        end = EndOfDigits(source, at, source[at] == '0' ? c => c == '0' : char.IsAsciiDigit);
        return (TokenKind.Integer, Plain(source, at, end), end);
    }

    private static string Plain(string source, int from, int to) => source[from..to].Replace("_", "", StringComparison.Ordinal);

    private static int EndOfFloat(string source, int at)
    {
        var end = EndOfDigits(source, at, char.IsAsciiDigit);
        var isFloat = false;
        if (end + 1 < source.Length && source[end] == '.' && char.IsAsciiDigit(source[end + 1]))
        {
            end = EndOfDigits(source, end + 1, char.IsAsciiDigit);
            isFloat = true;
        }

        if (end < source.Length && source[end] is 'e' or 'E')
        {
            var digits = end + (end + 1 < source.Length && source[end + 1] is '+' or '-' ? 2 : 1);
            if (digits < source.Length && char.IsAsciiDigit(source[digits]))
                return EndOfDigits(source, digits, char.IsAsciiDigit);
        }

        return isFloat ? end : -1;
    }

    private static int EndOfPrefixed(string source, int at)
    {
        Func<char, bool>? isDigit = char.ToLowerInvariant(source[at + 1]) switch
        {
            'x' => char.IsAsciiHexDigit,
            'o' => c => c is >= '0' and <= '7',
            'b' => c => c is '0' or '1',
            _ => null,
        };
        var digits = at + 2 < source.Length && source[at + 2] == '_' ? at + 3 : at + 2;
        return isDigit is not null && digits < source.Length && isDigit(source[digits]) ? EndOfDigits(source, digits, isDigit) : -1;
    }

    // Single underscores may stand between digits.
    private static int EndOfDigits(string source, int at, Func<char, bool> isDigit)
    {
        while (at < source.Length && (isDigit(source[at]) || (source[at] == '_' && at + 1 < source.Length && isDigit(source[at + 1]))))
            at++;
        return at;
    }
}
