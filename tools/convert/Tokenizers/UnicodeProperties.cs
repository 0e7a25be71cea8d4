namespace Weft.Convert.Tokenizers;

/// <summary>Names of sets of characters that expressions use, in brackets of .NET. Of scripts, what lies within the first plane.</summary>
internal static class UnicodeProperties
{
    // Unicode 17.0's Alphabetic without letters and letter numbers, within the first plane: vowel signs and circled letters.
    private const string OtherAlphabetic =
        @"\u0345\u0363-\u036F\u05B0-\u05BD\u05BF\u05C1-\u05C2\u05C4-\u05C5\u05C7\u0610-\u061A\u064B-\u0657\u0659-\u065F\u0670\u06D6-\u06DC"
        + @"\u06E1-\u06E4\u06E7-\u06E8\u06ED\u0711\u0730-\u073F\u07A6-\u07B0\u0816-\u0817\u081B-\u0823\u0825-\u0827\u0829-\u082C\u0897\u08D4-\u08DF"
        + @"\u08E3-\u08E9\u08F0-\u0903\u093A-\u093B\u093E-\u094C\u094E-\u094F\u0955-\u0957\u0962-\u0963\u0981-\u0983\u09BE-\u09C4\u09C7-\u09C8"
        + @"\u09CB-\u09CC\u09D7\u09E2-\u09E3\u0A01-\u0A03\u0A3E-\u0A42\u0A47-\u0A48\u0A4B-\u0A4C\u0A51\u0A70-\u0A71\u0A75\u0A81-\u0A83\u0ABE-\u0AC5"
        + @"\u0AC7-\u0AC9\u0ACB-\u0ACC\u0AE2-\u0AE3\u0AFA-\u0AFC\u0B01-\u0B03\u0B3E-\u0B44\u0B47-\u0B48\u0B4B-\u0B4C\u0B56-\u0B57\u0B62-\u0B63\u0B82"
        + @"\u0BBE-\u0BC2\u0BC6-\u0BC8\u0BCA-\u0BCC\u0BD7\u0C00-\u0C04\u0C3E-\u0C44\u0C46-\u0C48\u0C4A-\u0C4C\u0C55-\u0C56\u0C62-\u0C63\u0C81-\u0C83"
        + @"\u0CBE-\u0CC4\u0CC6-\u0CC8\u0CCA-\u0CCC\u0CD5-\u0CD6\u0CE2-\u0CE3\u0CF3\u0D00-\u0D03\u0D3E-\u0D44\u0D46-\u0D48\u0D4A-\u0D4C\u0D57"
        + @"\u0D62-\u0D63\u0D81-\u0D83\u0DCF-\u0DD4\u0DD6\u0DD8-\u0DDF\u0DF2-\u0DF3\u0E31\u0E34-\u0E3A\u0E4D\u0EB1\u0EB4-\u0EB9\u0EBB-\u0EBC\u0ECD"
        + @"\u0F71-\u0F83\u0F8D-\u0F97\u0F99-\u0FBC\u102B-\u1036\u1038\u103B-\u103E\u1056-\u1059\u105E-\u1060\u1062-\u1064\u1067-\u106D\u1071-\u1074"
        + @"\u1082-\u108D\u108F\u109A-\u109D\u1712-\u1713\u1732-\u1733\u1752-\u1753\u1772-\u1773\u17B6-\u17C8\u1885-\u1886\u18A9\u1920-\u192B"
        + @"\u1930-\u1938\u1A17-\u1A1B\u1A55-\u1A5E\u1A61-\u1A74\u1ABF-\u1AC0\u1ACC-\u1ACE\u1B00-\u1B04\u1B35-\u1B43\u1B80-\u1B82\u1BA1-\u1BA9"
        + @"\u1BAC-\u1BAD\u1BE7-\u1BF1\u1C24-\u1C36\u1DD3-\u1DF4\u24B6-\u24E9\u2DE0-\u2DFF\uA674-\uA67B\uA69E-\uA69F\uA802\uA80B\uA823-\uA827"
        + @"\uA880-\uA881\uA8B4-\uA8C3\uA8C5\uA8FF\uA926-\uA92A\uA947-\uA952\uA980-\uA983\uA9B4-\uA9BF\uA9E5\uAA29-\uAA36\uAA43\uAA4C-\uAA4D"
        + @"\uAA7B-\uAA7D\uAAB0\uAAB2-\uAAB4\uAAB7-\uAAB8\uAABE\uAAEB-\uAAEF\uAAF5\uABE3-\uABEA\uFB1E";

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
        ["Alpha"] = OtherAlphabetic + @"\p{L}\p{Nl}",
        ["Alphabetic"] = OtherAlphabetic + @"\p{L}\p{Nl}",
        ["Alnum"] = OtherAlphabetic + @"\p{L}\p{Nl}\p{Nd}",
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
