using System.Text.Json;
using System.Text.RegularExpressions;
using Weft.Tokenizers;

namespace Weft.Convert.Tokenizers;

/// <summary>Reads the pre-tokenizer of a tokenizer.json. Most of its kinds are a split by an expression.</summary>
internal static class PreTokenizerJson
{
    private const string Supported =
        "Sequence, Split, ByteLevel, Metaspace, Whitespace, WhitespaceSplit, Punctuation, Digits, CharDelimiterSplit, BertPreTokenizer, UnicodeScripts, FixedLength";

    private const string Punctuation = @"[!-/:-@\[-`{-~\p{P}]";

    /// <summary>Words between white space, punctuation for itself: BERT's.</summary>
    public static IReadOnlyList<PreTokenizerStep> BertWords { get; } = [Split(@"\s", SplitBehavior.Removed), Split(Punctuation, SplitBehavior.Isolated)];

    public static void Read(JsonElement? element, List<PreTokenizerStep> steps)
    {
        if (element is not { } preTokenizer)
            return;
        switch (preTokenizer.Type())
        {
            case "Sequence":
                foreach (var part in preTokenizer.GetProperty("pretokenizers").EnumerateArray())
                    Read(part, steps);
                break;
            case "Split":
                steps.Add(Split(preTokenizer.Expression(), Behavior(preTokenizer.GetProperty("behavior").GetString()), preTokenizer.Flag("invert")));
                break;
            case "ByteLevel":
                if (preTokenizer.Flag("add_prefix_space", whenMissing: true))
                    steps.Add(new() { Kind = PreTokenizerKind.PrefixSpace });
                if (preTokenizer.Flag("use_regex", whenMissing: true))
                    steps.Add(Split(WordPatterns.Gpt2, SplitBehavior.Isolated));
                steps.Add(new() { Kind = PreTokenizerKind.ByteAlphabet });
                break;
            case "Metaspace":
                var scheme = preTokenizer.Optional("prepend_scheme")?.GetString()
                    ?? (preTokenizer.Flag("add_prefix_space", whenMissing: true) ? "always" : "never");
                steps.Add(new()
                {
                    Kind = PreTokenizerKind.Metaspace,
                    Pattern = preTokenizer.GetProperty("replacement").GetString(),
                    OnlyFirst = scheme == "first",
                    Never = scheme == "never",
                    SplitWords = preTokenizer.Flag("split", whenMissing: true),
                });
                break;
            case "Whitespace":
                // Rust's \w, unlike Oniguruma's, has the joiners.
                const string Word = PatternClasses.UnicodeWords + @"\u200C\u200D";
                steps.Add(Split($"[{Word}]+|[^{Word}\\s]+", SplitBehavior.Removed, invert: true));
                break;
            case "WhitespaceSplit":
                steps.Add(Split(@"\s", SplitBehavior.Removed));
                break;
            case "Punctuation":
                steps.Add(Split(Punctuation, Behavior(preTokenizer.Optional("behavior")?.GetString() ?? "Isolated")));
                break;
            case "Digits":
                steps.Add(Split(@"\p{N}", preTokenizer.Flag("individual_digits") ? SplitBehavior.Isolated : SplitBehavior.Contiguous));
                break;
            case "CharDelimiterSplit":
                steps.Add(Split(Regex.Escape(preTokenizer.GetProperty("delimiter").GetString()!), SplitBehavior.Removed));
                break;
            case "BertPreTokenizer":
                steps.AddRange(BertWords);
                break;
            case "UnicodeScripts":
                steps.Add(new() { Kind = PreTokenizerKind.Scripts });
                break;
            case "FixedLength":
                steps.Add(new() { Kind = PreTokenizerKind.FixedLength, Length = preTokenizer.Optional("length")?.GetInt32() ?? 5 });
                break;
            case var type:
                throw TokenizerJson.Unsupported("pre-tokenizer", type, Supported);
        }
    }

    private static PreTokenizerStep Split(string pattern, SplitBehavior behavior, bool invert = false) =>
        new() { Kind = PreTokenizerKind.Split, Pattern = pattern, Behavior = behavior, Invert = invert };

    private static SplitBehavior Behavior(string? name) => name switch
    {
        "Isolated" => SplitBehavior.Isolated,
        "Removed" => SplitBehavior.Removed,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        _ => throw TokenizerJson.Unsupported("split behaviour", name, "Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous"),
    };
}
