using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Weft.Chat.Jinja;

/// <summary>
/// Upper, lower and title case as Python makes them: one letter can become several, and a sigma at a word's end has a form of its own.
/// Left out are the letters of ancient Greek that carry an iota below.
/// </summary>
internal static class CaseText
{
    private static readonly FrozenDictionary<char, string> LongUpper = new Dictionary<char, string>
    {
        ['ß'] = "SS", ['ŉ'] = "ʼN", ['ǰ'] = "J\u030C", ['և'] = "ԵՒ", ['ﬀ'] = "FF", ['ﬁ'] = "FI", ['ﬂ'] = "FL", ['ﬃ'] = "FFI",
        ['ﬄ'] = "FFL", ['ﬅ'] = "ST", ['ﬆ'] = "ST", ['ﬓ'] = "ՄՆ", ['ﬔ'] = "ՄԵ", ['ﬕ'] = "ՄԻ", ['ﬖ'] = "ՎՆ", ['ﬗ'] = "ՄԽ",
    }.ToFrozenDictionary();

    /// <summary>str.upper()</summary>
    public static string Upper(string text)
    {
        if (Ascii.IsValid(text))
            return text.ToUpperInvariant();
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            AppendUpper(rune, result);
        return result.ToString();
    }

    /// <summary>str.lower()</summary>
    public static string Lower(string text)
    {
        if (Ascii.IsValid(text))
            return text.ToLowerInvariant();
        var result = new StringBuilder(text.Length);
        for (var at = 0; at < text.Length; at += CodePoints.LengthAt(text, at))
            AppendLower(text, at, result);
        return result.ToString();
    }

    /// <summary>str.capitalize(): the first letter in title case, the others in lower case.</summary>
    public static string Capitalize(string text) => Cased(text, static (before, _) => before is null);

    /// <summary>str.title(): the letters after anything but a letter in title case, the others in lower case.</summary>
    public static string Title(string text) => Cased(text, static (before, _) => before is not { } rune || !IsCased(rune));

    /// <summary>str.swapcase()</summary>
    public static string Swap(string text)
    {
        var result = new StringBuilder(text.Length);
        for (var at = 0; at < text.Length; at += CodePoints.LengthAt(text, at))
        {
            if (Rune.TryGetRuneAt(text, at, out var rune) && Rune.IsLower(rune))
                AppendUpper(rune, result);
            else
                AppendLower(text, at, result);
        }

        return result.ToString();
    }

    /// <summary>Whether there are letters with case, and all of them in the case that is asked for.</summary>
    public static bool IsAll(string text, bool upper)
    {
        var cased = false;
        foreach (var rune in text.EnumerateRunes())
        {
            if (upper ? Rune.IsLower(rune) : Rune.IsUpper(rune))
                return false;
            if (Rune.GetUnicodeCategory(rune) == UnicodeCategory.TitlecaseLetter)
                return false;
            cased |= IsCased(rune);
        }

        return cased;
    }

    /// <summary>Whether the words all begin in upper case and go on in lower case.</summary>
    public static bool IsTitle(string text)
    {
        var (cased, before) = (false, false);
        foreach (var rune in text.EnumerateRunes())
        {
            var isCapital = Rune.IsUpper(rune) || Rune.GetUnicodeCategory(rune) == UnicodeCategory.TitlecaseLetter;
            if ((isCapital && before) || (Rune.IsLower(rune) && !before))
                return false;
            before = IsCased(rune);
            cased |= before;
        }

        return cased;
    }

    private static string Cased(string text, Func<Rune?, Rune, bool> isTitle)
    {
        var result = new StringBuilder(text.Length);
        Rune? before = null;
        for (var at = 0; at < text.Length; at += CodePoints.LengthAt(text, at))
        {
            var rune = Rune.TryGetRuneAt(text, at, out var found) ? found : Rune.ReplacementChar;
            if (isTitle(before, rune))
                AppendTitle(rune, result);
            else
                AppendLower(text, at, result);
            before = rune;
        }

        return result.ToString();
    }

    private static bool IsCased(Rune rune) =>
        Rune.IsUpper(rune) || Rune.IsLower(rune) || Rune.GetUnicodeCategory(rune) == UnicodeCategory.TitlecaseLetter;

    private static void AppendUpper(Rune rune, StringBuilder result)
    {
        if (rune.IsBmp && LongUpper.TryGetValue((char)rune.Value, out var several))
            result.Append(several);
        else
            Append(Rune.ToUpperInvariant(rune), result);
    }

    private static void AppendTitle(Rune rune, StringBuilder result)
    {
        // Georgian has capitals only for whole words; the Latin digraphs have a form of their own.
        if (rune.Value is >= 0x10D0 and <= 0x10FF)
            result.Append((char)rune.Value);
        else if (rune.Value is (>= 0x1C4 and <= 0x1CC) or (>= 0x1F1 and <= 0x1F3))
            result.Append((char)(rune.Value < 0x1F1 ? ((rune.Value - 0x1C4) / 3 * 3) + 0x1C5 : 0x1F2));
        else if (rune.IsBmp && LongUpper.TryGetValue((char)rune.Value, out var several))
            result.Append(several[0]).Append(several[0] == 'ʼ' ? several[1..] : Lower(several[1..]));
        else
            AppendUpper(rune, result);
    }

    private static void AppendLower(string text, int at, StringBuilder result)
    {
        if (!Rune.TryGetRuneAt(text, at, out var rune))
            result.Append(text[at]);
        else if (rune.Value == 'İ')
            result.Append("i\u0307");
        else if (rune.Value == 'Σ')
            result.Append(EndsWord(text, at) ? 'ς' : 'σ');
        else
            Append(Rune.ToLowerInvariant(rune), result);
    }

    private static void Append(Rune rune, StringBuilder result)
    {
        if (rune.IsBmp)
            result.Append((char)rune.Value);
        else
            result.Append(rune.ToString());
    }

    // A sigma ends a word when a letter stands before it and none behind it; marks and apostrophes between do not count.
    private static bool EndsWord(string text, int at)
    {
        var before = at - 1;
        while (before >= 0 && IsIgnored(text[before]))
            before--;
        var after = at + 1;
        while (after < text.Length && IsIgnored(text[after]))
            after++;
        return before >= 0 && char.IsLetter(text[before]) && !(after < text.Length && char.IsLetter(text[after]));
    }

    private static bool IsIgnored(char c) => c is '\'' or '.' or ':' or '’' or '\u00AD' ||
        CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.Format or UnicodeCategory.ModifierSymbol;
}
