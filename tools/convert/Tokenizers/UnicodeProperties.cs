using System.Text;
using Weft.Tokenizers.Unicode;

namespace Weft.Convert.Tokenizers;

/// <summary>Names of sets of characters that expressions use, in brackets of .NET.</summary>
internal static class UnicodeProperties
{
    private const string Visible = @"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}";

    private static readonly string Alphabetic = @"\p{L}\p{Nl}" + Members(UnicodePropertyData.OtherAlphabetic);
    private static readonly string Uppercase = @"\p{Lu}" + Members(UnicodePropertyData.OtherUppercase);
    private static readonly string Lowercase = @"\p{Ll}" + Members(UnicodePropertyData.OtherLowercase);

    private static readonly Dictionary<string, string> Sets = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = @"\p{L}",
        ["Mark"] = @"\p{M}",
        ["Number"] = @"\p{N}",
        ["Punctuation"] = @"\p{P}",
        ["Symbol"] = @"\p{S}",
        ["Separator"] = @"\p{Z}",
        ["Other"] = @"\p{C}",
        ["UppercaseLetter"] = @"\p{Lu}",
        ["LowercaseLetter"] = @"\p{Ll}",
        ["TitlecaseLetter"] = @"\p{Lt}",
        ["ModifierLetter"] = @"\p{Lm}",
        ["OtherLetter"] = @"\p{Lo}",
        ["DecimalNumber"] = @"\p{Nd}",
        ["Alpha"] = Alphabetic,
        ["Alphabetic"] = Alphabetic,
        ["Alnum"] = Alphabetic + @"\p{Nd}",
        ["Digit"] = @"\p{Nd}",
        ["Upper"] = Uppercase,
        ["Uppercase"] = Uppercase,
        ["Lower"] = Lowercase,
        ["Lowercase"] = Lowercase,
        ["Punct"] = @"\p{P}",
        ["Space"] = @"\s",
        ["WhiteSpace"] = @"\s",
        ["Blank"] = @"\t\p{Zs}",
        ["Cntrl"] = @"\p{Cc}",
        ["Graph"] = Visible,
        ["Print"] = Visible + @"\p{Zs}",
        ["XDigit"] = "0-9A-Fa-f",
        ["Word"] = PatternClasses.UnicodeWords,
        ["ASCII"] = @"\x00-\x7F",
        ["Any"] = @"\s\S",
        ["Assigned"] = Visible + @"\p{Z}\p{Cc}",
        ["Ideographic"] = Members(UnicodePropertyData.Ideographic),
        ["Emoji"] = Members(UnicodePropertyData.Emoji),
        ["EmojiPresentation"] = Members(UnicodePropertyData.EmojiPresentation),
        ["EmojiModifier"] = Members(UnicodePropertyData.EmojiModifier),
        ["EmojiModifierBase"] = Members(UnicodePropertyData.EmojiModifierBase),
        ["EmojiComponent"] = Members(UnicodePropertyData.EmojiComponent),
        ["ExtendedPictographic"] = Members(UnicodePropertyData.ExtendedPictographic),
    };

    /// <summary>General categories by the names that .NET knows too.</summary>
    public static HashSet<string> Categories { get; } = new(StringComparer.OrdinalIgnoreCase)
    {
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cs", "Co", "Cn",
    };

    /// <summary>The same for POSIX's names, in brackets of their own: their punctuation has the symbols, too.</summary>
    public static string? FindPosix(string name) => name == "punct" ? @"\p{P}\p{S}" : Find(name);

    /// <summary>What stands in the brackets, or null for a name that is not known. As Oniguruma reads names, what separates words does not matter.</summary>
    public static string? Find(string name)
    {
        var plain = name.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal);
        return Sets.GetValueOrDefault(plain) ?? (UnicodeScripts.Find(plain) is { } ranges ? string.Concat(ranges.Select(range => Members(range))) : null);
    }

    private static string Members(ReadOnlySpan<int> ranges)
    {
        var members = new StringBuilder();
        for (var i = 0; i < ranges.Length; i += 2)
            members.Append(Members((ranges[i], ranges[i + 1])));
        return members.ToString();
    }

    private static string Members((int First, int Last) range) => range.First == range.Last ? Member(range.First) : $"{Member(range.First)}-{Member(range.Last)}";

    private static string Member(int point) => point > 0xFFFF ? char.ConvertFromUtf32(point) : $"\\u{point:X4}";
}
