using System.Globalization;
using Weft.Tokenizers.Unicode;

namespace Weft.Tokenizers.Splitting;

/// <summary>
/// GPT-4o's expression by hand: a word is capitals, then small letters; a mark or a letter without case counts as both. A test compares
/// every choice with the expression.
/// </summary>
internal sealed class CasedWordSplitter : PreTokenizer
{
    private const int MostDigits = 3;

    private static readonly Kind[] AsciiKinds = [.. Enumerable.Range(0, 128).Select(c => Of(CharUnicodeInfo.GetUnicodeCategory((char)c), (char)c))];

    private CasedWordSplitter()
    {
    }

    private enum Kind : byte
    {
        Other,
        Mark,
        Capital,
        Small,
        Uncased,
        Number,
        Space,
        Break,
    }

    /// <summary>The splitter of a step, if it splits by the expression.</summary>
    public static CasedWordSplitter? TryCreate(PreTokenizerStep step) =>
        step is { Behavior: SplitBehavior.Isolated, Invert: false, Pattern: WordPatterns.O200k } ? new() : null;

    /// <inheritdoc/>
    public override void Cut(ReadOnlySpan<char> text, List<Range> words, WorkLimit limit)
    {
        for (var at = 0; at < text.Length;)
        {
            var end = End(text, at);
            words.Add(at..end);
            at = end;
        }
    }

    private static int End(ReadOnlySpan<char> text, int at)
    {
        var kind = KindAt(text, at, out var length);
        // The choices of the expression in its order: with a character before the word and without, first with small letters, then without.
        var prefixed = kind is Kind.Other or Kind.Mark or Kind.Space ? at + length : -1;
        var bare = kind is Kind.Mark or Kind.Capital or Kind.Small or Kind.Uncased ? at : -1;
        var word = Mixed(text, prefixed) is > 0 and var first ? first
            : Mixed(text, bare) is > 0 and var second ? second
            : Capitals(text, prefixed) is > 0 and var third ? third
            : Capitals(text, bare);
        if (word > 0)
            return word + (word < text.Length && text[word] == '\'' ? WordSplitter.Contraction(text, word, anyCase: true) : 0);
        if (kind == Kind.Number)
            return Digits(text, at + length);
        var start = text[at] == ' ' && at + 1 < text.Length ? at + 1 : at;
        if (KindAt(text, start, out length) is Kind.Other or Kind.Mark)
            return Signs(text, start + length);
        var end = at;
        while (end < text.Length && KindAt(text, end, out length) is Kind.Space or Kind.Break)
            end += length;
        if (text[at..end].LastIndexOfAny('\r', '\n') is >= 0 and var lastBreak)
            return at + lastBreak + 1;
        return end == text.Length || end == at + 1 ? end : end - 1;
    }

    /// <summary>End of capitals and at least one small letter, where those without case may be either; −1 when there is none.</summary>
    private static int Mixed(ReadOnlySpan<char> text, int at)
    {
        var end = -1;
        while (at >= 0 && at < text.Length)
        {
            var kind = KindAt(text, at, out var length);
            if (kind == Kind.Small)
                return Smalls(text, at + length);
            if (kind is not (Kind.Capital or Kind.Uncased or Kind.Mark))
                break;
            at += length;
            // Capitals at the end are given back until one is left that may be small.
            end = kind == Kind.Capital ? end : at;
        }

        return end;
    }

    private static int Smalls(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && KindAt(text, at, out var length) is Kind.Small or Kind.Uncased or Kind.Mark)
            at += length;
        return at;
    }

    /// <summary>End of a run of capitals; −1 when there is none. No small letter follows, or there would have been a mixed word.</summary>
    private static int Capitals(ReadOnlySpan<char> text, int at)
    {
        var end = -1;
        while (at >= 0 && at < text.Length && KindAt(text, at, out var length) is Kind.Capital or Kind.Uncased or Kind.Mark)
            end = at += length;
        return end;
    }

    private static int Digits(ReadOnlySpan<char> text, int at)
    {
        for (var count = 1; count < MostDigits && at < text.Length && KindAt(text, at, out var length) == Kind.Number; count++)
            at += length;
        return at;
    }

    private static int Signs(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && KindAt(text, at, out var length) is Kind.Other or Kind.Mark)
            at += length;
        while (at < text.Length && text[at] is '\r' or '\n' or '/')
            at++;
        return at;
    }

    private static Kind KindAt(ReadOnlySpan<char> text, int at, out int length)
    {
        length = 1;
        return text[at] < 128 ? AsciiKinds[text[at]] : Of(CodePoint.Category(text, at, out length), text[at]);
    }

    private static Kind Of(UnicodeCategory category, char unit) => category switch
    {
        _ when unit is '\r' or '\n' => Kind.Break,
        _ when char.IsWhiteSpace(unit) => Kind.Space,
        UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => Kind.Capital,
        UnicodeCategory.LowercaseLetter => Kind.Small,
        UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Uncased,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => Kind.Mark,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
        _ => Kind.Other,
    };
}
