using System.Text;
using Weft.Tokenizers.Splitting;
using Weft.Tokenizers.Unicode;

namespace Weft.Tokenizers.Normalization;

/// <summary>The normalizers of a tokenizer, in order. Thread-safe.</summary>
internal sealed class Normalizer
{
    private readonly Step[] steps;

    /// <summary>Prepares the steps.</summary>
    /// <param name="steps">What to do.</param>
    /// <param name="untouched">Texts that character maps leave as they are, and that count as one character.</param>
    /// <exception cref="WeftException">An expression or a table is damaged.</exception>
    public Normalizer(IReadOnlyList<NormalizerStep> steps, IReadOnlyList<string> untouched) =>
        this.steps = [.. steps.Select(step => new Step(step, Prepare(step, untouched)))];

    /// <summary>The normalized form of <paramref name="text"/>.</summary>
    /// <exception cref="WeftException">It grows too long, or an expression takes too long.</exception>
    public string Apply(string text, WorkLimit limit)
    {
        var first = false;
        return Apply(text, limit, ref first);
    }

    /// <summary>The same, and whether what begins the result has come from the beginning of the text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="limit">What it may cost.</param>
    /// <param name="first">Whether the text begins another; afterwards, whether the result does: as in the library that this follows, not where its first character was dropped.</param>
    public string Apply(string text, WorkLimit limit, ref bool first)
    {
        foreach (var step in steps)
        {
            first = first && !step.DropsBeginning(text, limit);
            text = step.Apply(text, limit);
            limit.Spend(text.Length);
        }

        return text;
    }

    /// <summary>Text whose lone surrogates are U+FFFD, which is what encoding it as UTF-8 would make of them.</summary>
    public static string RepairSurrogates(string text)
    {
        var first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        if (first < 0)
            return text;
        var repaired = new StringBuilder(text.Length).Append(text, 0, first);
        Span<char> units = stackalloc char[2];
        foreach (var rune in text.AsSpan(first).EnumerateRunes())
            repaired.Append(units[..rune.EncodeToUtf16(units)]);
        return repaired.ToString();
    }

    private static Func<string, WorkLimit, string> Prepare(NormalizerStep step, IReadOnlyList<string> untouched)
    {
        var content = step.Content ?? "";
        switch (step.Kind)
        {
            case NormalizerKind.Prepend:
                return (text, _) => text.Length == 0 ? text : content + text;
            case NormalizerKind.Append:
                return (text, _) => text.Length == 0 ? text : text + content;
            case NormalizerKind.Replace:
                return (text, limit) => Replace(text, step.Pattern ?? "", content, limit);
            case NormalizerKind.ReplaceExpression:
                var splitter = new RegexSplitter(step.Pattern ?? "");
                return (text, limit) => splitter.Replace(text, content, limit);
            case NormalizerKind.CharacterMap:
                var longest = new CharacterMap(content, untouched);
                return (text, _) => longest.ReplaceLongest(text);
            case NormalizerKind.ClusterMap:
                var clusters = new CharacterMap(content, untouched);
                return (text, _) => clusters.ReplaceClusters(text);
            case NormalizerKind.CollapseSpaces:
                var collapsed = new CharacterMap(content, untouched);
                return (text, _) => collapsed.ReplaceAndCollapse(text, step.Pattern);
            default:
                var plain = Plain(step.Kind);
                return (text, _) => plain(text);
        }
    }

    /// <summary>Text with something put for every occurrence of a pattern; it is not made when it would be too long.</summary>
    public static string Replace(string text, string pattern, string? content, WorkLimit limit)
    {
        if (pattern.Length == 0)
            return text;
        if (content is not null && content.Length > pattern.Length)
            limit.Spend((long)text.AsSpan().Count(pattern) * content.Length);
        return text.Replace(pattern, content, StringComparison.Ordinal);
    }

    private static Func<string, string> Plain(NormalizerKind kind) => kind switch
    {
        NormalizerKind.Nfc => UnicodeNormalization.ToFormC,
        NormalizerKind.Nfd => UnicodeNormalization.ToFormD,
        NormalizerKind.Nfkc => UnicodeNormalization.ToFormKC,
        NormalizerKind.Nfkd => UnicodeNormalization.ToFormKD,
        NormalizerKind.Lowercase => Characters.Lower,
        NormalizerKind.StripLeft => text => text.TrimStart(),
        NormalizerKind.StripRight => text => text.TrimEnd(),
        NormalizerKind.StripMarks => Characters.WithoutMarks,
        NormalizerKind.StripNonSpacingMarks => Characters.WithoutNonSpacingMarks,
        NormalizerKind.Nmt => Characters.Nmt,
        NormalizerKind.CleanText => Characters.Clean,
        NormalizerKind.SpaceIdeographs => Characters.SpaceIdeographs,
        NormalizerKind.ByteAlphabet => text => ByteAlphabet.Spell(text),
        _ => throw new WeftException($"the normalizer '{kind}' is not known"),
    };

    /// <summary>A step and what it does to a text.</summary>
    private sealed record Step(NormalizerStep Description, Func<string, WorkLimit, string> Apply)
    {
        /// <summary>Whether the first character of a text disappears, so that another one begins it.</summary>
        public bool DropsBeginning(string text, WorkLimit limit)
        {
            // The library's character map gives the place of what it drops to what comes after it.
            if (text.Length == 0 || Description.Kind == NormalizerKind.ClusterMap)
                return false;
            _ = Rune.DecodeFromUtf16(text, out var first, out var length);
            // Of characters that something else is put for, it gives that the place of the last.
            if (Description is { Kind: NormalizerKind.Replace, Pattern: { } pattern } && pattern.Length > length && text.StartsWith(pattern, StringComparison.Ordinal))
                return true;
            // A step that takes spaces off the end must not take for the end what is the beginning.
            var next = first.Value == 'a' ? "b" : "a";
            return Apply(text[..length] + next, limit) == Apply(next, limit);
        }
    }
}
