using System.Globalization;
using System.Text;

namespace Weft.Convert.Tokenizers;

/// <summary>What a backslash and the characters after it mean to Oniguruma, in .NET's spelling. A letter without a meaning is itself.</summary>
internal sealed class OnigurumaEscapes(PatternReader reader)
{
    // Bytes beyond ASCII are parts of characters.
    private const int FirstByteOfMany = 0x80;

    /// <summary>How many groups have been opened that can be referred to by number.</summary>
    public int Groups { get; set; }

    /// <summary>Goes over the backslash that stands here and what belongs to it.</summary>
    /// <param name="inSet">Whether it stands in brackets.</param>
    public string Read(bool inSet)
    {
        reader.TryTake("\\");
        if (!reader.More)
            throw reader.Error("it ends with a backslash");
        var letter = reader.Take();
        return letter[0] switch
        {
            'p' or 'P' when reader.Next == '{' => Property(letter == "P", inSet),
            'h' or 'H' => Set(PatternClasses.Hexadecimal, letter == "H", inSet),
            'w' or 'W' => Set(inSet ? PatternClasses.UnicodeWords : PatternClasses.Words, letter == "W", inSet),
            'd' or 'D' or 's' or 'S' or 't' or 'r' or 'n' or 'f' or 'v' or 'a' or 'e' => $"\\{letter}",
            'x' when reader.Next == '{' => CodePoints(16, inSet),
            'o' when reader.Next == '{' => CodePoints(8, inSet),
            'x' => Byte(reader.TakeWhile(char.IsAsciiHexDigit, 2), 16),
            'u' => reader.TakeWhile(char.IsAsciiHexDigit, 4) is { Length: 4 } digits ? Character(digits, 16) : throw NoCharacter(),
            'c' or 'C' or 'M' => Control(letter),
            >= '0' and <= '9' => Digits(letter, inSet),
            _ when inSet => letter == "b" ? "\\b" : Itself(letter),
            'b' => PatternClasses.Boundary,
            'B' => PatternClasses.NoBoundary,
            'A' or 'z' or 'Z' or 'G' => $"\\{letter}",
            'R' => PatternClasses.LineBreak,
            'N' => @"[^\n]",
            'O' => PatternClasses.Any,
            'K' => throw reader.Error("what stands before a match and is not part of it (\\K) is not supported"),
            'X' => throw reader.Error("clusters of characters (\\X) are not supported"),
            'y' or 'Y' => throw reader.Error($"boundaries of clusters of characters (\\{letter}) are not supported"),
            'k' when reader.Next is '<' or '\'' => Reference(),
            'g' when reader.Next is '<' or '\'' => throw reader.Error("calls of groups (\\g) are not supported"),
            _ => Itself(letter),
        };
    }

    /// <summary>A set by its members; in brackets, a negated one becomes a set of its own.</summary>
    private static string Set(string members, bool negated, bool inSet) => (negated, inSet) switch
    {
        (false, true) => members,
        (false, false) => $"[{members}]",
        _ => $"[^{members}]",
    };

    private static string Itself(string character) => char.IsAsciiLetter(character[0]) || character.Length > 1 ? character : $"\\{character}";

    private static int? Number(string digits, int radix)
    {
        var value = 0L;
        foreach (var digit in digits)
            value = Math.Min((value * radix) + Uri.FromHex(digit), int.MaxValue);
        return digits.Length == 0 ? null : (int)value;
    }

    private WeftException NoCharacter() => reader.Error("it names a character that there is not");

    private string Character(string digits, int radix)
    {
        if (Number(digits, radix) is not { } point || !Rune.IsValid(point))
            throw NoCharacter();
        return point > 0xFFFF ? char.ConvertFromUtf32(point) : $"\\u{point:X4}";
    }

    private string Byte(string digits, int radix) => (Number(digits, radix) ?? 0) is < FirstByteOfMany and var value
        ? $"\\u{value:X4}"
        : throw reader.Error("bytes that are no character of their own are not supported");

    /// <summary>One code point or more in braces.</summary>
    private string CodePoints(int radix, bool inSet)
    {
        reader.TryTake("{");
        var list = reader.TakeUntil('}', "a code point").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (list.Length == 0 || (inSet && list.Length > 1) || !Array.TrueForAll(list, digits => digits.All(digit => char.IsAsciiHexDigit(digit) && Uri.FromHex(digit) < radix)))
            throw NoCharacter();
        return string.Concat(list.Select(digits => Character(digits, radix)));
    }

    private string Control(string letter)
    {
        if (letter == "M" || (letter == "C" && !reader.TryTake("-")) || !char.IsAsciiLetter(reader.Next))
            throw reader.Error($"\\{letter} is not supported but for the control characters of letters");
        return $"\\u{reader.Take()[0] & 0x1F:X4}";
    }

    /// <summary>A back-reference, or an octal number where there are not so many groups.</summary>
    private string Digits(string first, bool inSet)
    {
        var rest = reader.Rest[..(reader.Rest.IndexOfAnyExceptInRange('0', '9') is >= 0 and var end ? end : reader.Rest.Length)];
        if (!inSet && first != "0" && Number($"{first}{rest}", 10) is { } number && (number <= 9 || number <= Groups))
        {
            if (number > Groups)
                throw reader.Error($"it refers to group {number}, which it does not have");
            reader.TakeWhile(char.IsAsciiDigit);
            return $"\\{number}";
        }

        return first[0] < '8' ? Byte(first + reader.TakeWhile(digit => digit is >= '0' and <= '7', 2), 8) : first;
    }

    private string Reference()
    {
        var quote = reader.Take() == "<" ? '>' : '\'';
        var name = reader.TakeUntil(quote, "a back-reference");
        if (!name.All(unit => char.IsLetterOrDigit(unit) || unit == '_'))
            throw reader.Error("back-references that count from where they stand, or have a level, are not supported");
        return $"\\k<{name}>";
    }

    private string Property(bool negated, bool inSet)
    {
        reader.TryTake("{");
        negated ^= reader.TryTake("^");
        var name = reader.TakeUntil('}', "a property");
        if (UnicodeProperties.Categories.TryGetValue(name, out var category))
            return $"\\{(negated ? 'P' : 'p')}{{{category}}}";
        return UnicodeProperties.Find(name) is { } members ? Set(members, negated, inSet) : throw reader.Error($"the property '{name}' is not known");
    }
}
