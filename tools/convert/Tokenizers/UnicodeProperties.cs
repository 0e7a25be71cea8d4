namespace Weft.Convert.Tokenizers;

/// <summary>Names of sets of characters that expressions use, in brackets of .NET. Of scripts, what lies within the first plane.</summary>
internal static class UnicodeProperties
{
    private static readonly Dictionary<string, string> Sets = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = @"\p{L}",
        ["Mark"] = @"\p{M}",
        ["Number"] = @"\p{N}",
        ["Punctuation"] = @"\p{P}",
        ["Symbol"] = @"\p{S}",
        ["Separator"] = @"\p{Z}",
        ["Other"] = @"\p{C}",
        ["Uppercase_Letter"] = @"\p{Lu}",
        ["Lowercase_Letter"] = @"\p{Ll}",
        ["Alpha"] = @"\p{L}\p{M}\p{Nl}",
        ["Alphabetic"] = @"\p{L}\p{M}\p{Nl}",
        ["Alnum"] = @"\p{L}\p{M}\p{Nl}\p{Nd}",
        ["Digit"] = @"\p{Nd}",
        ["Upper"] = @"\p{Lu}",
        ["Lower"] = @"\p{Ll}",
        ["Punct"] = @"\p{P}$+<=>^`|~",
        ["Space"] = @"\s",
        ["Blank"] = @"\t\p{Zs}",
        ["Cntrl"] = @"\p{Cc}",
        ["XDigit"] = "0-9A-Fa-f",
        ["Word"] = Oniguruma.WordClass,
        ["ASCII"] = @"\x00-\x7F",
        ["Han"] = @"\u2E80-\u2E99\u2E9B-\u2EF3\u2F00-\u2FD5\u3005\u3007\u3021-\u3029\u3038-\u303B\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFA6D\uFA70-\uFAD9",
        ["Hiragana"] = @"\u3041-\u3096\u309D-\u309F",
        ["Katakana"] = @"\u30A1-\u30FA\u30FD-\u30FF\u31F0-\u31FF\u32D0-\u32FE\u3300-\u3357\uFF66-\uFF6F\uFF71-\uFF9D",
        ["Hangul"] = @"\u1100-\u11FF\u302E\u302F\u3131-\u318E\u3200-\u321E\u3260-\u327E\uA960-\uA97C\uAC00-\uD7A3\uD7B0-\uD7C6\uD7CB-\uD7FB\uFFA0-\uFFBE\uFFC2-\uFFC7\uFFCA-\uFFCF\uFFD2-\uFFD7\uFFDA-\uFFDC",
        ["Cyrillic"] = @"\u0400-\u0484\u0487-\u052F\u1C80-\u1C8A\u1D2B\u1D78\u2DE0-\u2DFF\uA640-\uA69F\uFE2E\uFE2F",
        ["Thai"] = @"\u0E01-\u0E3A\u0E40-\u0E5B",
    };

    /// <summary>General categories by the names that .NET knows too.</summary>
    public static HashSet<string> Categories { get; } =
    [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cs", "Co", "Cn",
    ];

    /// <summary>What stands in the brackets, or null for a name that is not known.</summary>
    public static string? Find(string name) => Sets.GetValueOrDefault(name.StartsWith("Script=", StringComparison.OrdinalIgnoreCase) ? name[7..] : name);
}
