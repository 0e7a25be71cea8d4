using System.Globalization;
using Weft.Tokenizers.Unicode;

namespace Weft.Tokenizers.Splitting;

/// <summary>
/// The expressions of <see cref="WordPatterns"/> by hand: each word is found in one pass over its characters. A test compares every choice
/// with the expression.
/// </summary>
internal sealed class WordSplitter : PreTokenizer
{
    private static readonly Kind[] AsciiKinds = [.. Enumerable.Range(0, 128).Select(c => Of(CharUnicodeInfo.GetUnicodeCategory((char)c), (char)c))];

    private readonly bool modern;
    private readonly int digits;

    private WordSplitter(bool modern, int digits)
    {
        this.modern = modern;
        this.digits = digits;
    }

    private enum Kind : byte
    {
        Other,
        Letter,
        Number,
        Space,
        Break,
    }

    /// <summary>The splitter of a step, if it splits by one of the known expressions.</summary>
    public static WordSplitter? TryCreate(PreTokenizerStep step) => step is not { Behavior: SplitBehavior.Isolated, Invert: false } ? null : step.Pattern switch
    {
        WordPatterns.Gpt2 => new(modern: false, digits: int.MaxValue),
        WordPatterns.Llama3 or WordPatterns.Cl100k => new(modern: true, digits: 3),
        WordPatterns.Qwen => new(modern: true, digits: 1),
        _ => null,
    };

    /// <inheritdoc/>
    public override void Cut(ReadOnlySpan<char> text, List<Range> words, WorkLimit limit)
    {
        for (var at = 0; at < text.Length;)
        {
            var end = modern ? ModernEnd(text, at) : ClassicEnd(text, at);
            words.Add(at..end);
            at = end;
        }
    }

    /// <summary>Characters of the English contraction at an apostrophe, or 0.</summary>
    public static int Contraction(ReadOnlySpan<char> text, int at, bool anyCase)
    {
        var first = Letter(text, at + 1, anyCase);
        if (first is 's' or 't' or 'm' or 'd')
            return 2;
        return (first, Letter(text, at + 2, anyCase)) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    /// <summary>End of the word at <paramref name="at"/> by GPT-2's expression.</summary>
    private static int ClassicEnd(ReadOnlySpan<char> text, int at)
    {
        if (text[at] == '\'' && Contraction(text, at, anyCase: false) is > 0 and var contraction)
            return at + contraction;
        var start = at;
        if (text[at] == ' ' && at + 1 < text.Length)
            start++;
        var kind = KindAt(text, start, out var length);
        if (kind is Kind.Letter or Kind.Number or Kind.Other)
            return Run(text, start + length, kind, int.MaxValue);
        return Spaces(text, at);
    }

    /// <summary>End of the word at <paramref name="at"/> by the expressions that began with GPT-4's.</summary>
    private int ModernEnd(ReadOnlySpan<char> text, int at)
    {
        if (text[at] == '\'' && Contraction(text, at, anyCase: true) is > 0 and var contraction)
            return at + contraction;
        var kind = KindAt(text, at, out var length);
        if (kind == Kind.Letter)
            return Run(text, at + length, Kind.Letter, int.MaxValue);
        if (kind == Kind.Number)
            return Run(text, at + length, Kind.Number, digits - 1);
        if (kind != Kind.Break && at + length < text.Length && KindAt(text, at + length, out var second) == Kind.Letter)
            return Run(text, at + length + second, Kind.Letter, int.MaxValue);
        var start = text[at] == ' ' && at + 1 < text.Length ? at + 1 : at;
        if (KindAt(text, start, out length) == Kind.Other)
        {
            var end = Run(text, start + length, Kind.Other, int.MaxValue);
            while (end < text.Length && text[end] is '\r' or '\n')
                end++;
            return end;
        }

        var spaces = Run(text, at, Kind.Space, int.MaxValue);
        var lastBreak = text[at..spaces].LastIndexOfAny('\r', '\n');
        return lastBreak >= 0 ? at + lastBreak + 1 : Spaces(text, at);
    }

    /// <summary>White space up to the end of the text, or else without the last, which goes with the word after it, unless it is the only one.</summary>
    private static int Spaces(ReadOnlySpan<char> text, int at)
    {
        var end = Run(text, at, Kind.Space, int.MaxValue);
        return end == text.Length || end == at + 1 ? end : end - 1;
    }

    private static char Letter(ReadOnlySpan<char> text, int at, bool anyCase)
    {
        if (at >= text.Length)
            return '\0';
        // The long s is an s to expressions that ignore case.
        return !anyCase ? text[at] : text[at] == '\u017F' ? 's' : char.IsAsciiLetterUpper(text[at]) ? (char)(text[at] | 0x20) : text[at];
    }

    /// <summary>End of a run of at most <paramref name="limit"/> characters of a kind; line breaks are spaces too.</summary>
    private static int Run(ReadOnlySpan<char> text, int at, Kind kind, int limit)
    {
        for (; at < text.Length && limit > 0; limit--)
        {
            var here = KindAt(text, at, out var length);
            if (here != kind && !(kind == Kind.Space && here == Kind.Break))
                break;
            at += length;
        }

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
        <= UnicodeCategory.OtherLetter => Kind.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
        _ => Kind.Other,
    };
}
