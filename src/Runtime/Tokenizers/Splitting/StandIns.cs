using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Weft.Tokenizers.Unicode;

namespace Weft.Tokenizers.Splitting;

/// <summary>
/// Makes expressions over code points out of .NET's, which see UTF-16 units. Each code point beyond U+FFFF is matched through one unit that
/// stands for it: a surrogate, which no text holds alone. There is one for each general category, and in every stretch of code points
/// between two that the expression names there are others, so that what it cannot tell apart has one stand-in and nothing else has it.
/// Where case does not matter, letters get those of their other forms that .NET does not take for them.
/// </summary>
internal sealed partial class StandIns
{
    private const int FirstAstral = 0x10000;
    private const int FirstUnit = 0xD800;
    private const int LastUnit = 0xDFFF;
    private const int Longest = 100_000;

    private static readonly string[] Categories =
        ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn"];

    /// <summary>Where each stretch begins.</summary>
    private readonly List<int> starts = [];

    /// <summary>The units by category of all stretches that the expression does not name.</summary>
    private readonly char[] common;

    /// <summary>The units of each stretch by category.</summary>
    private readonly List<char[]> rows = [];

    private readonly List<(int First, int Last)> named = [];
    private readonly Dictionary<(string Name, bool Negated), string> members = [];
    private readonly string pattern;
    private readonly StringBuilder result = new();
    private readonly Stack<bool> outer = []; // whether case matters not in the groups around
    private int at;
    private bool isReading = true;
    private bool anyCase;

    /// <summary>Rewrites an expression.</summary>
    /// <exception cref="WeftException">It names too many characters.</exception>
    public StandIns(string pattern)
    {
        this.pattern = pattern;
        var unit = FirstUnit;
        common = [.. Categories.Select(_ => (char)unit++)];
        Rewrite();
        Plain = result.ToString();
        Allot(unit);
        isReading = false;
    }

    /// <summary>The expression for texts without code points beyond U+FFFF.</summary>
    public string Plain { get; }

    /// <summary>The unit that stands for a code point.</summary>
    public char this[Rune rune]
    {
        get
        {
            if (rune.IsBmp)
                return (char)rune.Value;
            var stretch = starts.BinarySearch(rune.Value);
            return rows[stretch < 0 ? ~stretch - 1 : stretch][(int)Rune.GetUnicodeCategory(rune)];
        }
    }

    /// <summary>The expression over units.</summary>
    /// <exception cref="WeftException">It grows too long.</exception>
    public string Rewritten()
    {
        at = 0;
        result.Clear();
        outer.Clear();
        anyCase = false;
        Rewrite();
        return result.ToString();
    }

    private void Allot(int unit)
    {
        var changes = new SortedDictionary<int, int> { [FirstAstral] = 0 };
        foreach (var (first, last) in named)
        {
            changes[first] = changes.GetValueOrDefault(first) + 1;
            changes[last + 1] = changes.GetValueOrDefault(last + 1) - 1;
        }

        starts.AddRange(changes.Keys);
        var depth = 0;
        for (var i = 0; i < starts.Count; i++)
        {
            depth += changes[starts[i]];
            if (depth == 0)
            {
                rows.Add(common);
                continue;
            }

            var row = new char[Categories.Length];
            for (var point = starts[i]; point < starts[i + 1]; point++)
            {
                ref var place = ref row[(int)CharUnicodeInfo.GetUnicodeCategory(point)];
                if (place != 0)
                    continue;
                if (unit > LastUnit)
                    throw TooMany();
                place = (char)unit++;
            }

            rows.Add(row);
        }
    }

    /// <summary>A unit that no text has, for sets that would otherwise be empty.</summary>
    private char NoCharacter => common[(int)UnicodeCategory.Surrogate];

    private static WeftException TooMany() => new("the tokenizer has an expression that names too many characters beyond U+FFFF");

    private void Rewrite()
    {
        while (at < pattern.Length)
        {
            if (result.Length > Longest)
                throw TooMany();
            if (pattern[at] == '[')
                Set();
            else if (pattern[at] == '(')
                Open();
            else if (pattern[at] == ')')
                Close();
            else if (Category() is { } category)
                result.Append('[').Append(category).Append(']');
            else
                Append(Next(), inSet: false);
        }
    }

    /// <summary>Goes over what opens a group, or sets options for what is left of one.</summary>
    private void Open()
    {
        var flags = Options().Match(pattern, at);
        outer.Push(anyCase);
        if (flags.Success)
        {
            anyCase = !flags.Groups["off"].ValueSpan.Contains('i') && (anyCase || flags.Groups["on"].ValueSpan.Contains('i'));
            if (flags.ValueSpan[^1] == ')')
                outer.Pop();
        }

        result.Append(flags.Success ? flags.ValueSpan : "(");
        at += flags.Success ? flags.Length : 1;
    }

    private void Close()
    {
        anyCase = outer.TryPop(out var before) && before;
        result.Append(pattern[at++]);
    }

    [GeneratedRegex(@"\G\(\?(?<on>[a-z]*)(?:-(?<off>[a-z]*))?[:)]", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Options();

    private void Set()
    {
        result.Append('[');
        at++;
        if (at < pattern.Length && pattern[at] == '^')
            result.Append(pattern[at++]);
        for (var first = true; at < pattern.Length && (first || pattern[at] != ']'); first = false)
        {
            if (Category() is { } category)
            {
                result.Append(category);
                if (result.Length > Longest)
                    throw TooMany();
                continue;
            }

            var from = Next();
            if (from.Value < 0 || at + 1 >= pattern.Length || pattern[at] != '-' || pattern[at + 1] is ']' or '[')
            {
                Append(from, inSet: true);
                continue;
            }

            at++;
            var to = Next();
            if (to.Value < 0)
                result.Append(from.Text).Append('-').Append(to.Text);
            else
                AppendRange(from, to);
        }
    }

    private void Append(Member member, bool inSet)
    {
        if (anyCase && member.Value >= 0 && CaseForms.Of(member.Value, member.Value) is { Length: > 0 } forms)
            result.Append(inSet ? $"{member.Text}{forms}" : $"[{member.Text}{forms}]");
        else if (member.Value < FirstAstral)
            result.Append(member.Text);
        else if (inSet)
            AppendRange(member, member);
        else
            AppendRange(member, member, "[", "]");
    }

    /// <summary>A range, in which no stand-in is by mere chance.</summary>
    private void AppendRange(Member from, Member to, string opening = "", string closing = "")
    {
        result.Append(opening);
        if (anyCase)
            result.Append(CaseForms.Of(from.Value, to.Value));
        if (from.Value > to.Value || to.Value < FirstUnit || (from.Value > LastUnit && to.Value < FirstAstral))
        {
            result.Append(from.Text).Append('-').Append(to.Text);
        }
        else
        {
            if (from.Value < FirstUnit)
                result.Append(from.Text).Append(@"-\uD7FF");
            if (from.Value < FirstAstral && to.Value > LastUnit)
                result.Append(CultureInfo.InvariantCulture, $@"\u{Math.Max(from.Value, LastUnit + 1):X4}-\u{Math.Min(to.Value, FirstAstral - 1):X4}");
            if (to.Value >= FirstAstral)
                AppendAstral(Math.Max(from.Value, FirstAstral), to.Value);
        }

        result.Append(closing);
    }

    private void AppendAstral(int first, int last)
    {
        if (isReading)
        {
            named.Add((first, last));
            result.Append(NoCharacter);
            return;
        }

        // The units of named stretches rise with the code points.
        var (low, high) = (starts.BinarySearch(first), starts.BinarySearch(last + 1));
        result.Append(rows[low].Where(unit => unit != 0).Min()).Append('-').Append(rows[high - 1].Max());
    }

    /// <summary>Members of a set for a category that stands here, if one does.</summary>
    private string? Category()
    {
        if (at + 1 >= pattern.Length || pattern[at] != '\\' || pattern[at + 1] is not ('p' or 'P' or 'd' or 'D'))
            return null;
        var isDigit = pattern[at + 1] is 'd' or 'D';
        var end = isDigit ? at + 1 : pattern.IndexOf('}', at);
        if (!isDigit && (end < 0 || pattern[at + 2] != '{'))
            return null;
        var name = isDigit ? "Nd" : pattern[(at + 3)..end];
        if (name.Length == 0 || !Categories.Any(category => category.StartsWith(name, StringComparison.Ordinal)))
            return null;
        var negated = pattern[at + 1] is 'P' or 'D';
        var start = at;
        at = end + 1;
        if (isReading)
            return pattern[start..at];
        if (!members.TryGetValue((name, negated), out var spelling))
            members[(name, negated)] = spelling = Members(name, negated);
        return spelling;
    }

    private string Members(string name, bool negated)
    {
        var spelling = new StringBuilder();
        for (var category = 0; category < Categories.Length; category++)
        {
            // No text has a surrogate alone; a set of nothing else is one of nothing.
            if (category == (int)UnicodeCategory.Surrogate || Categories[category].StartsWith(name, StringComparison.Ordinal) == negated)
                continue;
            spelling.Append(@"\p{").Append(Categories[category]).Append('}');
            foreach (var row in rows.Prepend(common).Distinct())
            {
                if (row[category] != 0)
                    spelling.Append(row[category]);
            }
        }

        return spelling.Length > 0 ? spelling.ToString() : NoCharacter.ToString();
    }

    /// <summary>The next character or escape, and which code point it is: −1 for what is none.</summary>
    private Member Next()
    {
        var start = at;
        if (pattern[at] != '\\')
        {
            _ = Rune.DecodeFromUtf16(pattern.AsSpan(at), out var rune, out var length);
            at += length;
            return new(rune.Value, pattern[start..at]);
        }

        at = Math.Min(at + 2, pattern.Length);
        var letter = pattern[at - 1];
        var digits = letter switch { 'x' => 2, 'u' => 4, _ => 0 };
        if (digits > 0 && int.TryParse(pattern.AsSpan(at, Math.Min(digits, pattern.Length - at)), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            at = Math.Min(at + digits, pattern.Length);
        else
            value = char.IsAsciiLetterOrDigit(letter) ? -1 : letter;
        return new(value, pattern[start..at]);
    }

    private readonly record struct Member(int Value, string Text);
}
