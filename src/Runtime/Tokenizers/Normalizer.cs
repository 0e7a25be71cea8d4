using System.Text;
using System.Text.RegularExpressions;
using Weft.Tokenizers.Unicode;

namespace Weft.Tokenizers;

/// <summary>Applies the normalizers of a tokenizer in order.</summary>
internal static partial class Normalizer
{
    /// <summary>The normalized form of <paramref name="text"/>.</summary>
    public static string Apply(IReadOnlyList<NormalizerStep> steps, string text)
    {
        foreach (var step in steps)
        {
            text = step.Kind switch
            {
                NormalizerKind.Prepend => text.Length == 0 ? text : step.Content + text,
                NormalizerKind.Replace => text.Replace(step.Pattern!, step.Content, StringComparison.Ordinal),
                NormalizerKind.CollapseSpaces => Spaces().Replace(text.Trim(' '), " "),
                _ => UnicodeNormalization.ToFormC(text),
            };
        }

        return text;
    }

    /// <summary>Text whose lone surrogates are U+FFFD, which is what encoding it as UTF-8 would make of them.</summary>
    public static string RepairSurrogates(string text)
    {
        var broken = false;
        for (var i = 0; i < text.Length && !broken; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            broken = i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[i + 1]);
            i++;
        }

        if (!broken)
            return text;
        var repaired = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            repaired.Append(rune.ToString());
        return repaired.ToString();
    }

    [GeneratedRegex(" +")]
    private static partial Regex Spaces();
}
