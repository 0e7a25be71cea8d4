using System.Text;

namespace Weft.Convert.Tokenizers;

/// <summary>
/// Translates expressions of Oniguruma, in whose own syntax tokenizer.json files have them, into .NET's: possessive quantifiers, line
/// anchors, options, sets in sets, scripts. What both write alike stays as it is, letter by letter; what .NET cannot say is an error.
/// </summary>
internal sealed class Oniguruma
{
    private const int LongestPattern = 20_000;
    private const int DeepestGroup = 200;
    private const int MostRepeats = 100_000;

    private static readonly System.Buffers.SearchValues<char> CountCharacters = System.Buffers.SearchValues.Create("0123456789,");

    private readonly PatternReader reader;
    private readonly OnigurumaEscapes escapes;
    private readonly StringBuilder result = new();

    private Oniguruma(string pattern)
    {
        reader = new(pattern);
        escapes = new(reader);
    }

    [Flags]
    private enum Options
    {
        None = 0,

        /// <summary>Capitals are small letters.</summary>
        AnyCase = 1,

        /// <summary>A point is also a line break.</summary>
        AnyLine = 2,

        /// <summary>White space and comments are no part of the expression.</summary>
        Spaced = 4,
    }

    /// <summary>The same expression for .NET.</summary>
    /// <exception cref="WeftException">It uses what .NET cannot say.</exception>
    public static string Translate(string pattern)
    {
        if (pattern.Length > LongestPattern)
            throw new WeftException($"the tokenizer has an expression of {pattern.Length} characters; at most {LongestPattern} are read");
        var translation = new Oniguruma(pattern);
        translation.Alternatives(0, Options.None);
        if (translation.reader.More)
            throw translation.reader.Error("a group is closed that was not opened");
        return translation.result.ToString();
    }

    private void Alternatives(int depth, Options options)
    {
        if (depth > DeepestGroup)
            throw reader.Error($"groups are nested more than {DeepestGroup} deep");
        for (SkipBlanks(options); reader.More && reader.Next != ')'; SkipBlanks(options))
        {
            if (reader.TryTake("|"))
            {
                result.Append('|');
                continue;
            }

            var start = result.Length;
            Atom(depth, options);
            Quantifiers(start, options);
        }
    }

    /// <summary>Goes over comments, and in spaced expressions over white space.</summary>
    private void SkipBlanks(Options options)
    {
        while (reader.More)
        {
            if (reader.TryTake("(?#"))
                SkipComment();
            else if (options.HasFlag(Options.Spaced) && reader.Next is ' ' or '\t' or '\n' or '\r' or '\f')
                reader.Take();
            else if (options.HasFlag(Options.Spaced) && reader.Next == '#')
                reader.TakeWhile(unit => unit != '\n');
            else
                break;
        }
    }

    private void SkipComment()
    {
        while (!reader.TryTake(")"))
        {
            reader.TryTake("\\");
            if (!reader.More)
                throw reader.Error("a comment has no end");
            reader.Take();
        }
    }

    private void Atom(int depth, Options options)
    {
        switch (reader.Next)
        {
            case '(':
                reader.Take();
                Group(depth, options);
                break;
            case '[':
                result.Append(CharacterSet.Read(reader, escapes));
                break;
            case '\\':
                result.Append(escapes.Read(inSet: false));
                break;
            case '^':
                reader.Take();
                result.Append(PatternClasses.LineBegin);
                break;
            case '$':
                reader.Take();
                result.Append("(?m:$)");
                break;
            case '.' when options.HasFlag(Options.AnyLine):
                reader.Take();
                result.Append(PatternClasses.Any);
                break;
            case '?' or '*' or '+' or '{' when Quantifier() is not null:
                throw reader.Error("a quantifier has nothing to repeat");
            case '{':
                result.Append($"\\{reader.Take()}");
                break;
            default:
                result.Append(reader.Take());
                break;
        }
    }

    private void Group(int depth, Options options)
    {
        if (reader.Next == '*')
            throw reader.Error("callouts are not supported");
        if (!reader.TryTake("?"))
        {
            escapes.Groups++;
            Body("(", depth, options);
        }
        else if (Array.Find(["<=", "<!", ":", "=", "!", ">"], reader.TryTake) is { } kind)
        {
            Body($"(?{kind}", depth, options);
        }
        else if (reader.Next is '<' or '\'')
        {
            var quote = reader.Take() == "<" ? '>' : '\'';
            var name = reader.TakeUntil(quote, "the name of a group");
            if (name.Length == 0 || char.IsAsciiDigit(name[0]) || !name.All(unit => char.IsLetterOrDigit(unit) || unit == '_'))
                throw reader.Error($"a group cannot have the name '{name}'");
            escapes.Groups++;
            Body($"(?<{name}>", depth, options);
        }
        else
        {
            SetOptions(depth, options);
        }
    }

    /// <summary>Options, for the group that they begin or as far as the group goes that they stand in: for all choices that follow.</summary>
    private void SetOptions(int depth, Options options)
    {
        var before = options;
        for (var isOff = false; reader.Next is not (':' or ')');)
        {
            var letter = reader.More ? reader.Take() : throw reader.Error("a group is not closed");
            var option = letter switch
            {
                "i" => Options.AnyCase,
                "m" => Options.AnyLine,
                "x" => Options.Spaced,
                "-" => Options.None,
                "~" => throw reader.Error("what is absent, (?~…), is not supported"),
                "{" => throw reader.Error("callouts are not supported"),
                "(" => throw reader.Error("conditions, (?(…)…), are not supported"),
                _ => throw reader.Error($"the option '{letter}' is not supported"),
            };
            isOff |= letter == "-";
            options = isOff ? options & ~option : options | option;
        }

        var opening = ((before ^ options) & Options.AnyCase) == 0 ? "(?:" : options.HasFlag(Options.AnyCase) ? "(?i:" : "(?-i:";
        if (reader.TryTake(":"))
        {
            Body(opening, depth, options);
            return;
        }

        reader.TryTake(")");
        result.Append(opening);
        Alternatives(depth + 1, options);
        result.Append(')');
    }

    private void Body(string opening, int depth, Options options)
    {
        result.Append(opening);
        Alternatives(depth + 1, options);
        if (!reader.TryTake(")"))
            throw reader.Error("a group is not closed");
        result.Append(')');
    }

    /// <summary>Quantifiers of the atom that stands from <paramref name="start"/> on in the result; a second one repeats what the first made.</summary>
    private void Quantifiers(int start, Options options)
    {
        var isBare = false;
        for (SkipBlanks(options); Quantifier() is (var spelling, var isPossessive); SkipBlanks(options))
        {
            if (isBare)
                result.Insert(start, "(?:").Append(')');
            result.Append(spelling);
            isBare = !isPossessive;
            if (isPossessive)
                result.Insert(start, "(?>").Append(')');
        }
    }

    private (string Spelling, bool IsPossessive)? Quantifier()
    {
        if (reader.Next is '?' or '*' or '+')
        {
            var mark = reader.Take();
            return reader.TryTake("?") ? ($"{mark}?", false) : (mark, reader.TryTake("+"));
        }

        if (Counts() is not { } counts)
            return null;
        var low = Count(counts[0]) ?? 0;
        // A question mark after a single number repeats once or not at all what the number made.
        if (counts.Length == 1)
            return ($"{{{low}}}", false);
        var high = Count(counts[1]);
        return high < low ? ($"{{{high},{low}}}", true) : ($"{{{low},{high}}}{(reader.TryTake("?") ? "?" : "")}", false);
    }

    /// <summary>Goes over counts in braces; <c>{</c> that begins none is a character.</summary>
    private string[]? Counts()
    {
        var rest = reader.Rest;
        if (rest is not ['{', ..] || rest.IndexOf('}') is not (> 1 and var end) || rest[1..end].ContainsAnyExcept(CountCharacters) || rest[1..end] is ",")
            return null;
        var counts = rest[1..end].ToString().Split(',');
        if (counts.Length > 2)
            return null;
        reader.TakeUntil('}', "a quantifier");
        return counts;
    }

    private int? Count(string digits)
    {
        if (digits.Length == 0)
            return null;
        return int.TryParse(digits, out var count) && count <= MostRepeats ? count : throw reader.Error($"more than {MostRepeats} repeats are not supported");
    }
}
