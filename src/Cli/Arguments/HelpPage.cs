using System.Globalization;
using System.Text;

namespace Weft.Cli.Arguments;

/// <summary>Writes help: one page for the program and one per verb, aligned, at most 96 columns wide.</summary>
internal static class HelpPage
{
    private const int Width = 96;

    /// <summary>The list of verbs.</summary>
    public static string OfProgram(IReadOnlyList<VerbEntry> verbs)
    {
        var page = new StringBuilder("Weft runs open large language models from .NET.\n\nUsage: weft VERB [arguments] [options]\n\nVerbs:\n");
        AppendTable(page, [.. verbs.Select(v => (v.Syntax.Verb.Name, FirstClause(v.Syntax.Verb.HelpText)))]);
        page.Append("\nExamples:\n  weft demo\n  weft run models/bard \"ROMEO:\" --max-tokens 64\n");
        page.Append("\n'weft VERB --help' explains a verb; 'weft --version' prints the version.\n");
        return page.ToString();
    }

    /// <summary>One verb: usage, examples, arguments, options; and those of all <paramref name="verbs"/> whose names go on where this one's ends.</summary>
    public static string OfVerb(VerbEntry entry, IReadOnlyList<VerbEntry> verbs)
    {
        var syntax = entry.Syntax;
        var page = new StringBuilder();
        AppendWrapped(page, syntax.Verb.HelpText, 0);
        page.Append(CultureInfo.InvariantCulture, $"\nUsage: weft {syntax.Verb.Name}");
        foreach (var value in syntax.Values)
        {
            var name = value.Attribute.MetaName + (value.Repeats ? " …" : "");
            page.Append(value.Attribute.Required ? $" {name}" : $" [{name}]");
        }

        page.Append(" [options]\n\nExamples:\n");
        foreach (var example in entry.Examples)
            page.Append("  ").Append(example).Append('\n');
        if (syntax.Values.Count > 0)
        {
            page.Append("\nArguments:\n");
            AppendTable(page, [.. syntax.Values.Select(v => (v.Attribute.MetaName, v.Attribute.HelpText))]);
        }

        page.Append("\nOptions:\n");
        AppendTable(page,
        [
            .. syntax.Options.Select(o => (Heading(o), o.Attribute.HelpText)),
            ("    --verbose", "On a failure, show the stack trace too."),
            ("-h, --help", "Show this page."),
        ]);
        var longer = verbs.Where(v => v.Syntax.Verb.Name.StartsWith(syntax.Verb.Name + " ", StringComparison.Ordinal)).ToList();
        if (longer.Count > 0)
        {
            page.Append("\nSee also:\n");
            AppendTable(page, [.. longer.Select(v => ($"weft {v.Syntax.Verb.Name}", FirstClause(v.Syntax.Verb.HelpText)))]);
        }

        return page.ToString();
    }

    private static string FirstClause(string text) => text.Split(". ")[0].Split("; ")[0].TrimEnd('.');

    private static string Heading(OptionSyntax option) =>
        (option.Short is { } letter ? $"-{letter}, " : "    ") + "--" + option.Long + (option.TakesValue ? " " + option.Attribute.MetaValue : "");

    private static void AppendTable(StringBuilder page, IReadOnlyList<(string Name, string Text)> rows)
    {
        var column = rows.Max(row => row.Name.Length) + 4;
        foreach (var (name, text) in rows)
        {
            page.Append("  ").Append(name.PadRight(column - 2));
            AppendWrapped(page, text, column);
        }
    }

    /// <summary>Appends <paramref name="text"/> broken at spaces; the caller has filled the first line up to <paramref name="indent"/>.</summary>
    private static void AppendWrapped(StringBuilder page, string text, int indent)
    {
        var column = indent;
        foreach (var word in text.Split(' '))
        {
            if (column > indent && column + 1 + word.Length > Width)
            {
                page.Append('\n').Append(' ', indent);
                column = indent;
            }
            else if (column > indent)
            {
                page.Append(' ');
                column++;
            }

            page.Append(word);
            column += word.Length;
        }

        page.Append('\n');
    }
}
