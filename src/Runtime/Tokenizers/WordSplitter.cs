using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Weft.Tokenizers;

/// <summary>
/// Cuts text by a regular expression written for engines that see code points. .NET's sees UTF-16 units, to which a letter beyond
/// U+FFFF is two surrogates and no letter; such code points are therefore matched through a stand-in of the same general category.
/// </summary>
internal sealed class WordSplitter
{
    private readonly Regex expression;

    public WordSplitter(string pattern)
    {
        try
        {
            expression = new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled);
        }
        catch (ArgumentException exception)
        {
            throw new WeftException($"the tokenizer splits by '{pattern}', which is not a regular expression that is understood", exception);
        }
    }

    /// <summary>Appends the ends of the words of <paramref name="text"/>; matches and the stretches between them are words.</summary>
    public void Split(ReadOnlySpan<char> text, List<Range> words)
    {
        if (text.IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            Split(text, words, null);
            return;
        }

        var standIns = new StringBuilder(text.Length);
        var starts = new List<int>(text.Length + 1);
        for (var i = 0; i < text.Length;)
        {
            Rune.DecodeFromUtf16(text[i..], out var rune, out var length);
            standIns.Append(rune.IsBmp ? (char)rune.Value : StandIn(Rune.GetUnicodeCategory(rune)));
            starts.Add(i);
            i += length;
        }

        starts.Add(text.Length);
        Split(standIns.ToString(), words, starts);
    }

    private void Split(ReadOnlySpan<char> text, List<Range> words, List<int>? starts)
    {
        var done = 0;
        foreach (var match in expression.EnumerateMatches(text))
        {
            Add(done, match.Index);
            Add(match.Index, match.Index + match.Length);
            done = match.Index + match.Length;
        }

        Add(done, text.Length);

        void Add(int from, int to)
        {
            if (to > from)
                words.Add(starts is null ? from..to : starts[from]..starts[to]);
        }
    }

    /// <summary>A rarely used character of the plane that expressions can name, of each category that exists beyond it.</summary>
    private static char StandIn(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => '\u0222',
        UnicodeCategory.LowercaseLetter => '\u0223',
        UnicodeCategory.ModifierLetter => '\u02B0',
        UnicodeCategory.OtherLetter => '\u01BB',
        UnicodeCategory.NonSpacingMark => '\u0317',
        UnicodeCategory.SpacingCombiningMark => '\u0903',
        UnicodeCategory.DecimalDigitNumber => '\u0966',
        UnicodeCategory.LetterNumber => '\u2188',
        UnicodeCategory.OtherNumber => '\u09F4',
        UnicodeCategory.MathSymbol => '\u2A00',
        UnicodeCategory.OtherSymbol => '\u2800',
        UnicodeCategory.OtherPunctuation => '\u2056',
        UnicodeCategory.DashPunctuation => '\u2E17',
        UnicodeCategory.Format => '\u2060',
        UnicodeCategory.PrivateUse => '\uE000',
        _ => '\uFFFF',
    };
}
