using System.Text;

namespace Weft.Convert.Tokenizers;

/// <summary>A set in brackets of Oniguruma's, which can hold other sets and meet them (<c>&amp;&amp;</c>); .NET's can do neither.</summary>
internal sealed class CharacterSet
{
    private const int Deepest = 200;

    private readonly PatternReader reader;
    private readonly OnigurumaEscapes escapes;
    private readonly int depth;
    private readonly bool negated;
    private readonly StringBuilder members = new();

    /// <summary>Sets, spelt, that are part of this one.</summary>
    private readonly List<string> parts = [];

    /// <summary>What stood before each <c>&amp;&amp;</c>.</summary>
    private readonly List<string> meets = [];

    private CharacterSet(PatternReader reader, OnigurumaEscapes escapes, int depth)
    {
        if (depth > Deepest)
            throw reader.Error($"sets are nested more than {Deepest} deep");
        (this.reader, this.escapes, this.depth) = (reader, escapes, depth);
        reader.TryTake("[");
        negated = reader.TryTake("^");
        // A bracket that would close an empty set is a member.
        for (var first = true; first || reader.Next != ']'; first = false)
        {
            if (!reader.More)
                throw reader.Error("a set is not closed");
            Item();
        }

        reader.TryTake("]");
    }

    /// <summary>The set that begins here, in .NET's spelling.</summary>
    public static string Read(PatternReader reader, OnigurumaEscapes escapes) => new CharacterSet(reader, escapes, 0).Spelling();

    private string Spelling()
    {
        if (parts.Count == 0 && meets.Count == 0)
            return members.Length > 0 ? $"[{(negated ? "^" : "")}{members}]" : negated ? @"[\s\S]" : "(?!)";
        var all = meets.Count == 0 ? Union() : $"(?:{string.Concat(meets.Select(set => $"(?={set})"))}{Union()})";
        return negated ? $"(?:(?!{all})[\\s\\S])" : all;
    }

    private string Union()
    {
        if (parts.Count == 0)
            return members.Length > 0 ? $"[{members}]" : "(?!)";
        IEnumerable<string> all = members.Length > 0 ? [$"[{members}]", .. parts] : parts;
        return $"(?:{string.Join('|', all)})";
    }

    private void Item()
    {
        if (reader.TryTake("&&"))
        {
            meets.Add(Union());
            members.Clear();
            parts.Clear();
        }
        else if (reader.Rest.StartsWith("[:") && PosixName() is { } name)
        {
            reader.TryTake($"[:{name}:]");
            var set = UnicodeProperties.FindPosix(name.TrimStart('^')) ?? throw reader.Error($"the set '{name}' is not known");
            if (name.StartsWith('^'))
                parts.Add($"[^{set}]");
            else
                members.Append(set);
        }
        else if (reader.Next == '[')
        {
            var inner = new CharacterSet(reader, escapes, depth + 1);
            if (inner is { negated: false, parts.Count: 0, meets.Count: 0 })
                members.Append(inner.members);
            else
                parts.Add(inner.Spelling());
        }
        else
        {
            Range();
        }
    }

    /// <summary>What stands in <c>[:here:]</c>; null where it is a set that begins with a colon.</summary>
    private string? PosixName()
    {
        var length = reader.Rest[2..].IndexOfAnyExcept(PatternClasses.PosixNames);
        return length > 0 && reader.Rest[(2 + length)..].StartsWith(":]") ? reader.Rest.Slice(2, length).ToString() : null;
    }

    private void Range()
    {
        var isClass = reader.Rest is ['\\', 'w' or 'W' or 'h' or 'H' or 's' or 'S' or 'd' or 'D', ..] or ['\\', 'p' or 'P', '{', ..];
        var member = Member();
        if (member.StartsWith("[^", StringComparison.Ordinal))
        {
            parts.Add(member);
            return;
        }

        members.Append(member);
        if (!isClass && reader.Rest is ['-', not (']' or '['), ..])
        {
            reader.TryTake("-");
            members.Append('-').Append(Member());
        }
    }

    private string Member()
    {
        // .NET takes no range that begins with an escaped hyphen for one.
        if (reader.TryTake("-") || reader.TryTake(@"\-"))
            return @"\u002D";
        return reader.Next switch
        {
            '\\' => escapes.Read(inSet: true),
            '[' or ']' or '^' => $"\\{reader.Take()}",
            _ => reader.Take(),
        };
    }
}
