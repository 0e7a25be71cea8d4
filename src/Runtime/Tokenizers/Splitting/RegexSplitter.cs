using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Weft.Tokenizers.Splitting;

/// <summary>
/// Finds matches of a regular expression written for code points. .NET's sees UTF-16 units, to which a letter beyond U+FFFF is two
/// surrogates and no letter; such code points are therefore matched through a stand-in of the same general category.
/// Expressions come from files of strangers: one that takes too long on a text ends in an error.
/// </summary>
internal sealed class RegexSplitter
{
    // Compiling takes longer than any text would with expressions that go on and on.
    private const int LongestCompiled = 4_000;
    private const int LongestPattern = 100_000;

    private readonly Regex expression;

    /// <summary>Compiles an expression.</summary>
    /// <exception cref="WeftException">It is none.</exception>
    public RegexSplitter(string pattern)
    {
        if (pattern.Length > LongestPattern)
            throw new WeftException($"the tokenizer has an expression of {pattern.Length} characters; at most {LongestPattern} are possible");
        try
        {
            var options = RegexOptions.CultureInvariant | (pattern.Length > LongestCompiled ? RegexOptions.None : RegexOptions.Compiled);
            expression = new Regex(pattern, options, WorkLimit.OneMatch);
        }
        catch (ArgumentException exception)
        {
            throw new WeftException($"the tokenizer splits by '{Shortened(pattern)}', which is not a regular expression that is understood", exception);
        }
    }

    /// <summary>Appends the matches in <paramref name="text"/>, in order.</summary>
    /// <exception cref="WeftException">The expression takes too long.</exception>
    public void Match(ReadOnlySpan<char> text, List<Range> matches, WorkLimit limit)
    {
        if (text.IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            Match(text, matches, null, limit);
            return;
        }

        var standIns = new StringBuilder(text.Length);
        var starts = new List<int>(text.Length + 1);
        for (var i = 0; i < text.Length;)
        {
            Rune.DecodeFromUtf16(text[i..], out var rune, out var length);
            standIns.Append(rune.IsBmp ? (char)rune.Value : StandIn(rune));
            starts.Add(i);
            i += length;
        }

        starts.Add(text.Length);
        Match(standIns.ToString(), matches, starts, limit);
    }

    /// <summary>Puts <paramref name="content"/> for every match.</summary>
    public string Replace(string text, string content, WorkLimit limit)
    {
        var matches = new List<Range>();
        Match(text, matches, limit);
        if (matches.Count == 0)
            return text;
        limit.Spend((long)matches.Count * content.Length);
        var result = new StringBuilder(text.Length);
        var done = 0;
        foreach (var match in matches)
        {
            result.Append(text, done, match.Start.Value - done).Append(content);
            done = match.End.Value;
        }

        return result.Append(text, done, text.Length - done).ToString();
    }

    private static string Shortened(string pattern) => pattern.Length > 200 ? pattern[..200] + "…" : pattern;

    private void Match(ReadOnlySpan<char> text, List<Range> matches, List<int>? starts, WorkLimit limit)
    {
        var before = matches.Count;
        while (!MatchesInTime(text, matches, starts, limit))
        {
            if (!limit.Renew())
                throw new WeftException($"the tokenizer's expression '{Shortened(expression.ToString())}' takes too long on a text of {text.Length} characters");
            matches.RemoveRange(before, matches.Count - before);
        }
    }

    private bool MatchesInTime(ReadOnlySpan<char> text, List<Range> matches, List<int>? starts, WorkLimit limit)
    {
        var start = Stopwatch.GetTimestamp();
        try
        {
            foreach (var match in expression.EnumerateMatches(text))
            {
                var (from, to) = (match.Index, match.Index + match.Length);
                matches.Add(starts is null ? from..to : starts[from]..starts[to]);
                if (!limit.SpendTime(ref start))
                    return false;
            }

            // What found nothing took its time as well.
            return limit.SpendTime(ref start);
        }
        catch (RegexMatchTimeoutException)
        {
            return false;
        }
    }

    /// <summary>A rarely used character of the plane that expressions can name, of each category that exists beyond it; Chinese ones stay Chinese.</summary>
    private static char StandIn(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter => '\u0222',
        UnicodeCategory.LowercaseLetter => '\u0223',
        UnicodeCategory.ModifierLetter => '\u02B0',
        UnicodeCategory.OtherLetter => rune.Value is >= 0x20000 and <= 0x3FFFD ? '\u4DB5' : '\u01BB',
        UnicodeCategory.NonSpacingMark => '\u0317',
        UnicodeCategory.SpacingCombiningMark => '\u0903',
        UnicodeCategory.DecimalDigitNumber => '\u0966',
        UnicodeCategory.LetterNumber => '\u2188',
        UnicodeCategory.OtherNumber => '\u09F4',
        UnicodeCategory.MathSymbol => '\u2A00',
        UnicodeCategory.CurrencySymbol => '\u20B0',
        UnicodeCategory.ModifierSymbol => '\uA700',
        UnicodeCategory.OtherSymbol => '\u2800',
        UnicodeCategory.OtherPunctuation => '\u2056',
        UnicodeCategory.DashPunctuation => '\u2E17',
        UnicodeCategory.Format => '\u2060',
        UnicodeCategory.PrivateUse => '\uE000',
        _ => '\uFFFF',
    };
}
