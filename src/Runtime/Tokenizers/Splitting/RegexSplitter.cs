using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Weft.Tokenizers.Splitting;

/// <summary>
/// Finds matches of a regular expression written for code points. .NET's sees UTF-16 units, to which a letter beyond U+FFFF is two
/// surrogates and no letter: texts that hold such ones are matched by an expression over <see cref="StandIns"/>.
/// Expressions come from files of strangers: one that takes too long on a text ends in an error.
/// </summary>
internal sealed class RegexSplitter
{
    // Compiling takes longer than any text would with expressions that go on and on.
    private const int LongestCompiled = 4_000;
    private const int LongestPattern = 100_000;

    private readonly string pattern;
    private readonly StandIns standIns;
    private readonly Regex plain;

    // Most texts need none.
    private readonly Lazy<Regex> general;

    /// <summary>Compiles an expression.</summary>
    /// <exception cref="WeftException">It is none.</exception>
    public RegexSplitter(string pattern)
    {
        if (pattern.Length > LongestPattern)
            throw new WeftException($"the tokenizer has an expression of {pattern.Length} characters; at most {LongestPattern} are possible");
        this.pattern = pattern;
        standIns = new StandIns(pattern);
        plain = Compile(standIns.Plain);
        general = new(() => Compile(standIns.Rewritten()));
    }

    /// <summary>Appends the matches in <paramref name="text"/>, in order; an empty one where another ends is none, as in the library that this follows.</summary>
    /// <exception cref="WeftException">The expression takes too long.</exception>
    public void Match(ReadOnlySpan<char> text, List<Range> matches, WorkLimit limit)
    {
        if (!text.ContainsAnyInRange('\uD800', '\uDFFF'))
        {
            Match(plain, text, matches, null, limit);
            return;
        }

        var units = new StringBuilder(text.Length);
        var starts = new List<int>(text.Length + 1);
        for (var i = 0; i < text.Length;)
        {
            Rune.DecodeFromUtf16(text[i..], out var rune, out var length);
            units.Append(standIns[rune]);
            starts.Add(i);
            i += length;
        }

        starts.Add(text.Length);
        Match(general.Value, units.ToString(), matches, starts, limit);
    }

    /// <summary>Puts <paramref name="content"/> for every match.</summary>
    public string Replace(string text, string content, WorkLimit limit)
    {
        var matches = new List<Range>();
        // In an empty text that library finds nothing.
        if (text.Length > 0)
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

    private Regex Compile(string expression)
    {
        try
        {
            var options = RegexOptions.CultureInvariant | (expression.Length > LongestCompiled ? RegexOptions.None : RegexOptions.Compiled);
            return new Regex(expression, options, WorkLimit.OneMatch);
        }
        catch (ArgumentException exception)
        {
            throw new WeftException($"the tokenizer splits by '{Shortened(pattern)}', which is not a regular expression that is understood", exception);
        }
    }

    private void Match(Regex expression, ReadOnlySpan<char> text, List<Range> matches, List<int>? starts, WorkLimit limit)
    {
        var before = matches.Count;
        while (!MatchesInTime(expression, text, matches, starts, limit))
        {
            if (!limit.Renew())
                throw new WeftException($"the tokenizer's expression '{Shortened(pattern)}' takes too long on a text of {text.Length} characters");
            matches.RemoveRange(before, matches.Count - before);
        }
    }

    private static bool MatchesInTime(Regex expression, ReadOnlySpan<char> text, List<Range> matches, List<int>? starts, WorkLimit limit)
    {
        var start = Stopwatch.GetTimestamp();
        var last = -1;
        try
        {
            foreach (var match in expression.EnumerateMatches(text))
            {
                var (from, to) = (match.Index, match.Index + match.Length);
                if (to > from || from != last)
                    matches.Add(starts is null ? from..to : starts[from]..starts[to]);
                last = to;
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
}
