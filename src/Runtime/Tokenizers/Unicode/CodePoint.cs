using System.Globalization;
using System.Text;

namespace Weft.Tokenizers.Unicode;

/// <summary>A code point in text of UTF-16.</summary>
internal static class CodePoint
{
    /// <summary>The category of the code point at a place; a surrogate alone has that of the replacement character.</summary>
    /// <param name="text">The text.</param>
    /// <param name="at">Its first unit.</param>
    /// <param name="length">Receives its units, one or two.</param>
    public static UnicodeCategory Category(ReadOnlySpan<char> text, int at, out int length)
    {
        length = 1;
        if (!char.IsSurrogate(text[at]))
            return CharUnicodeInfo.GetUnicodeCategory(text[at]);
        Rune.DecodeFromUtf16(text[at..], out var rune, out length);
        return Rune.GetUnicodeCategory(rune);
    }
}
