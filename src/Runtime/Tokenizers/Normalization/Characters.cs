using System.Globalization;
using System.Text;

namespace Weft.Tokenizers.Normalization;

/// <summary>Normalizers that look at one character at a time.</summary>
internal static class Characters
{
    /// <summary>Small letters, without regard to neighbours: a final sigma is a sigma.</summary>
    public static string Lower(string text) => Map(text, static (rune, result) =>
    {
        // The one letter whose small form is two characters: i with a dot keeps its dot.
        if (rune.Value == 0x130)
            result.Append("i\u0307");
        else
            Append(result, Rune.ToLowerInvariant(rune));
    });

    /// <summary>No character of category M.</summary>
    public static string WithoutMarks(string text) => Map(text, static (rune, result) =>
    {
        if (Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark))
            Append(result, rune);
    });

    /// <summary>No character of category Mn.</summary>
    public static string WithoutNonSpacingMarks(string text) => Map(text, static (rune, result) =>
    {
        if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark)
            Append(result, rune);
    });

    /// <summary>The rules that SentencePiece names nmt.</summary>
    public static string Nmt(string text) => Map(text, static (rune, result) =>
    {
        switch (rune.Value)
        {
            case (>= 0x1 and <= 0x8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or 0x8F or 0x9F:
                break;
            case 0x9 or 0xA or 0xC or 0xD or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD:
                result.Append(' ');
                break;
            default:
                Append(result, rune);
                break;
        }
    });

    /// <summary>BERT's: neither NUL, U+FFFD nor control characters, a space for any white space.</summary>
    public static string Clean(string text) => Map(text, static (rune, result) =>
    {
        if (Rune.IsWhiteSpace(rune) && (rune.Value is '\t' or '\n' or '\r' || !IsOther(rune)))
            result.Append(' ');
        else if (rune.Value != 0xFFFD && !IsOther(rune))
            Append(result, rune);
    });

    /// <summary>BERT's: each Chinese character a word.</summary>
    public static string SpaceIdeographs(string text) => Map(text, static (rune, result) =>
    {
        var ideograph = rune.Value is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F)
            or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
        if (ideograph)
            result.Append(' ');
        Append(result, rune);
        if (ideograph)
            result.Append(' ');
    });

    private static bool IsOther(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse;

    private static string Map(string text, Action<Rune, StringBuilder> add)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            add(rune, result);
        return result.ToString();
    }

    private static void Append(StringBuilder result, Rune rune)
    {
        if (rune.IsBmp)
        {
            result.Append((char)rune.Value);
            return;
        }

        Span<char> units = stackalloc char[2];
        rune.EncodeToUtf16(units);
        result.Append(units);
    }
}
