using System.Globalization;
using System.Text;

namespace Weft.Convert.Tokenizers;

/// <summary>
/// Translates expressions of Oniguruma (in Ruby's syntax, which tokenizer.json files are written for) and of Rust's regex crates into .NET's
/// syntax: possessive quantifiers, line anchors, sets in sets, scripts. What both write alike stays as it is, letter by letter.
/// </summary>
internal sealed class Oniguruma
{
    /// <summary>Unicode's word characters, for use inside brackets: letters, marks, digits, connectors and what else is alphabetic.</summary>
    public const string UnicodeWords = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9" + "\U0001F130-\U0001F149\U0001F150-\U0001F169\U0001F170-\U0001F189";

    /// <summary>The characters of <c>\w</c> and <c>\b</c> outside brackets, where Oniguruma has Latin-1's small digits and fractions as well.</summary>
    private const string WordClass = UnicodeWords + @"\u00B2\u00B3\u00B9\u00BC-\u00BE";

    private static readonly System.Buffers.SearchValues<char> CountCharacters = System.Buffers.SearchValues.Create("0123456789,");

    private const int LongestPattern = 20_000;
    private const int DeepestGroup = 200;

    private readonly string pattern;
    private readonly StringBuilder result = new();
    private int at;

    private Oniguruma(string pattern) => this.pattern = pattern;

    /// <summary>The same expression for .NET.</summary>
    /// <exception cref="WeftException">It uses what .NET cannot say.</exception>
    public static string Translate(string pattern)
    {
        if (pattern.Length > LongestPattern)
            throw new WeftException($"the tokenizer has an expression of {pattern.Length} characters; at most {LongestPattern} are read");
        var translation = new Oniguruma(pattern);
        translation.Alternatives(0);
        if (translation.at < pattern.Length)
            throw translation.Error("a group is closed that was not opened");
        return translation.result.ToString();
    }

    private bool More => at < pattern.Length;

    private WeftException Error(string what) =>
        new($"the tokenizer splits by '{(pattern.Length > 200 ? pattern[..200] + "…" : pattern)}', which is not a regular expression that is understood: {what}");

    private void Alternatives(int depth)
    {
        if (depth > DeepestGroup)
            throw Error($"groups are nested more than {DeepestGroup} deep");
        while (More && pattern[at] != ')')
        {
            var start = result.Length;
            Atom(depth);
            Quantifiers(start);
        }
    }

    private void Atom(int depth)
    {
        switch (pattern[at])
        {
            case '(':
                Group(depth);
                break;
            case '[':
                result.Append(new SetReader(this).Read().Spelling());
                break;
            case '\\':
                result.Append(Escape(inSet: false));
                break;
            case '^':
                at++;
                result.Append("(?m:^)");
                break;
            case '$':
                at++;
                result.Append("(?m:$)");
                break;
            default:
                result.Append(Character());
                break;
        }
    }

    /// <summary>A character as it stands, which may be two units.</summary>
    private string Character()
    {
        var start = at;
        at += char.IsHighSurrogate(pattern[at]) && at + 1 < pattern.Length ? 2 : 1;
        return pattern[start..at];
    }

    private void Group(int depth)
    {
        var start = at++;
        if (More && pattern[at] == '?')
        {
            if (pattern.AsSpan(at).StartsWith("?#"))
            {
                at = pattern.IndexOf(')', at) is > 0 and var end ? end + 1 : throw Error("a comment has no end");
                return;
            }

            at++;
            var named = More && (pattern[at] == '\'' || (pattern[at] == '<' && at + 1 < pattern.Length && pattern[at + 1] is not ('=' or '!')));
            while (More && (named ? !(pattern[at] is '>' or '\'' && pattern[at - 1] is not ('?' or '<')) : char.IsAsciiLetter(pattern[at]) || pattern[at] is '-' or '<'))
                at++;
            if (More && pattern[at] is ':' or '=' or '!' or '>' or '\'')
                at++;
        }

        // Ruby's m, which lets a point match line breaks, is .NET's s.
        var opening = pattern[start..at];
        result.Append(opening is ['(', '?', ..] && opening[^1] is ':' or ')' || (More && pattern[at] == ')') ? opening.Replace('m', 's') : opening);
        Alternatives(depth + 1);
        if (!More)
            throw Error("a group is not closed");
        result.Append(pattern[at++]);
    }

    /// <summary>Quantifiers of the atom that stands from <paramref name="start"/> on in the result.</summary>
    private void Quantifiers(int start)
    {
        while (More && pattern[at] is '?' or '*' or '+' or '{')
        {
            if (pattern[at] == '{')
            {
                var end = pattern.IndexOf('}', at);
                if (end < 0 || pattern.AsSpan(at + 1, end - at - 1).ContainsAnyExcept(CountCharacters) || end == at + 1)
                {
                    result.Append("\\{");
                    at++;
                    return;
                }

                var counts = pattern[at..(end + 1)];
                result.Append(counts[1] == ',' ? "{0" + counts[1..] : counts);
                at = end + 1;
            }
            else
            {
                result.Append(pattern[at++]);
                if (More && pattern[at] == '+')
                {
                    result.Insert(start, "(?>").Append(')');
                    at++;
                    continue;
                }
            }

            if (More && pattern[at] == '?')
                result.Append(pattern[at++]);
            // A second quantifier repeats what the first made.
            if (More && pattern[at] is '?' or '*' or '+')
                result.Insert(start, "(?:").Append(')');
        }
    }

    private string Escape(bool inSet)
    {
        if (at + 1 >= pattern.Length)
            throw Error("it ends with a backslash");
        var letter = pattern[at + 1];
        at += 2;
        switch (letter)
        {
            case 'p' or 'P':
                return Property(letter, inSet);
            case 'h' or 'H':
                return Set("0-9A-Fa-f", letter == 'H', inSet);
            case 'w' or 'W':
                return Set(inSet ? UnicodeWords : WordClass, letter == 'W', inSet);
            // .NET's \b has words of its own: joiners are in them, vowel signs are not.
            case 'b' when !inSet:
                return $"(?:(?<=[{WordClass}])(?![{WordClass}])|(?<![{WordClass}])(?=[{WordClass}]))";
            case 'B' when !inSet:
                return $"(?:(?<=[{WordClass}])(?=[{WordClass}])|(?<![{WordClass}])(?![{WordClass}]))";
            case 'x' when More && pattern[at] == '{':
                var end = pattern.IndexOf('}', at);
                if (end < 0 || !int.TryParse(pattern.AsSpan(at + 1, end - at - 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var point) || !Rune.IsValid(point))
                    throw Error("it names a character that there is not");
                at = end + 1;
                return point > 0xFFFF ? char.ConvertFromUtf32(point) : $"\\u{point:X4}";
            case 'R' when !inSet:
                return @"(?>\r\n|[\n\v\f\r\u0085\u2028\u2029])";
            case 'A' or 'z' or 'Z' or 'G' or 'b' or 'B' or 'd' or 'D' or 's' or 'S' or 't' or 'r' or 'n' or 'f' or 'v' or 'a' or 'e' or 'x' or 'u' or 'k' or (>= '0' and <= '9'):
                return $"\\{letter}";
            default:
                if (char.IsAsciiLetter(letter))
                    throw Error($"\\{letter} is not known");
                at--;
                return char.IsSurrogate(letter) ? Character() : $"\\{Character()}";
        }
    }

    private string Property(char letter, bool inSet)
    {
        string name;
        if (More && pattern[at] == '{')
        {
            var end = pattern.IndexOf('}', at);
            if (end < 0)
                throw Error("a property has no end");
            name = pattern[(at + 1)..end];
            at = end + 1;
        }
        else
        {
            name = More ? pattern[at++].ToString() : throw Error("a property has no name");
        }

        var negated = letter == 'P' ^ name.StartsWith('^');
        name = name.TrimStart('^');
        if (UnicodeProperties.Categories.TryGetValue(name, out var category))
            return $"\\{(negated ? 'P' : 'p')}{{{category}}}";
        return UnicodeProperties.Find(name) is { } members ? Set(members, negated, inSet) : throw Error($"the property '{name}' is not known");
    }

    /// <summary>A set by its members; in brackets, a negated one becomes a set of its own.</summary>
    private static string Set(string members, bool negated, bool inSet) => (negated, inSet) switch
    {
        (false, true) => members,
        (false, false) => $"[{members}]",
        _ => $"[^{members}]",
    };

    /// <summary>A set of characters, which can hold others and meet others.</summary>
    private sealed class CharacterSet
    {
        public bool Negated { get; init; }

        public StringBuilder Members { get; } = new();

        /// <summary>Sets, spelt, that are part of this one.</summary>
        public List<string> Parts { get; } = [];

        /// <summary>What stood before each &amp;&amp;.</summary>
        public List<string> Meets { get; } = [];

        public string Union()
        {
            if (Parts.Count == 0)
                return Members.Length > 0 ? $"[{Members}]" : "(?!)";
            IEnumerable<string> all = Members.Length > 0 ? [$"[{Members}]", .. Parts] : Parts;
            return $"(?:{string.Join('|', all)})";
        }

        public string Spelling()
        {
            if (Parts.Count == 0 && Meets.Count == 0)
                return Members.Length > 0 ? $"[{(Negated ? "^" : "")}{Members}]" : Negated ? @"[\s\S]" : "(?!)";
            var all = Meets.Count == 0 ? Union() : $"(?:{string.Concat(Meets.Select(set => $"(?={set})"))}{Union()})";
            return Negated ? $"(?:(?!{all})[\\s\\S])" : all;
        }
    }

    private sealed class SetReader(Oniguruma owner, int depth = 0)
    {
        public CharacterSet Read()
        {
            if (depth > DeepestGroup)
                throw owner.Error($"sets are nested more than {DeepestGroup} deep");
            owner.at++;
            var negated = owner.More && owner.pattern[owner.at] == '^';
            owner.at += negated ? 1 : 0;
            var set = new CharacterSet { Negated = negated };
            for (var first = true; ; first = false)
            {
                if (!owner.More)
                    throw owner.Error("a set is not closed");
                if (owner.pattern[owner.at] == ']' && !first)
                    break;
                Item(set);
            }

            owner.at++;
            return set;
        }

        private void Item(CharacterSet set)
        {
            var rest = owner.pattern.AsSpan(owner.at);
            if (rest.StartsWith("&&"))
            {
                owner.at += 2;
                set.Meets.Add(set.Union());
                set.Members.Clear();
                set.Parts.Clear();
            }
            else if (rest.StartsWith("[:") && rest.IndexOf(":]") is > 0 and var end)
            {
                var name = rest[2..end].ToString();
                owner.at += end + 2;
                var members = UnicodeProperties.FindPosix(name.TrimStart('^')) ?? throw owner.Error($"the set '{name}' is not known");
                if (name.StartsWith('^'))
                    set.Parts.Add($"[^{members}]");
                else
                    set.Members.Append(members);
            }
            else if (rest[0] == '[')
            {
                var inner = new SetReader(owner, depth + 1).Read();
                if (inner is { Negated: false, Parts.Count: 0, Meets.Count: 0 })
                    set.Members.Append(inner.Members);
                else
                    set.Parts.Add(inner.Spelling());
            }
            else
            {
                Range(set);
            }
        }

        private void Range(CharacterSet set)
        {
            var isClass = owner.pattern.AsSpan(owner.at) is ['\\', 'p' or 'P' or 'w' or 'W' or 'h' or 'H' or 's' or 'S' or 'd' or 'D', ..];
            var member = Member();
            if (member.StartsWith("[^", StringComparison.Ordinal))
            {
                set.Parts.Add(member);
                return;
            }

            set.Members.Append(member);
            var rest = owner.pattern.AsSpan(owner.at);
            if (!isClass && rest.Length >= 2 && rest[0] == '-' && rest[1] is not (']' or '['))
            {
                owner.at++;
                set.Members.Append('-').Append(Member());
            }
        }

        private string Member()
        {
            var unit = owner.pattern[owner.at];
            if (unit == '\\')
                return owner.Escape(inSet: true);
            return unit is '[' or ']' or '^' or '-' ? $"\\{owner.Character()}" : owner.Character();
        }
    }
}
