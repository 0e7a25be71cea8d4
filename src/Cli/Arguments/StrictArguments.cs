using Weft.Convert;
namespace Weft.Cli.Arguments;

/// <summary>
/// Checks a verb's arguments before CommandLineParser binds them. On its own that library drops surplus arguments, takes an
/// option without its value as absent, and lets a list option swallow the arguments that follow; here each is an error or
/// made unambiguous by writing <c>--name=value</c>.
/// </summary>
internal static class StrictArguments
{
    /// <summary>Returns <paramref name="arguments"/> (without the verb) in the unambiguous form.</summary>
    /// <exception cref="UsageException">An option is unknown, lacks its value or has one it does not take; or an argument is missing or too many.</exception>
    public static List<string> Normalise(VerbSyntax syntax, ReadOnlySpan<string> arguments)
    {
        var result = new List<string>(arguments.Length);
        var values = new List<string>();
        for (var i = 0; i < arguments.Length; i++)
        {
            var argument = arguments[i];
            if (argument == "--")
            {
                values.AddRange(arguments[(i + 1)..]);
                break;
            }

            if (!IsOption(argument))
            {
                values.Add(argument);
                continue;
            }

            var (option, attached) = Find(syntax, argument);
            if (!option.TakesValue && attached is not null)
                throw new UsageException($"--{option.Long} takes no value");
            if (option.TakesValue && attached is null && ++i == arguments.Length)
                throw new UsageException($"--{option.Long} needs a value ({option.Attribute.MetaValue})");
            result.Add(option.TakesValue ? $"--{option.Long}={attached ?? arguments[i]}" : $"--{option.Long}");
        }

        CheckCount(syntax, values);
        result.Add("--");
        result.AddRange(values);
        return result;
    }

    /// <summary>A lone dash means standard input, and a dash before a digit starts a negative number.</summary>
    private static bool IsOption(string argument) => argument is ['-', not (>= '0' and <= '9' or '.'), ..];

    private static (OptionSyntax Option, string? Attached) Find(VerbSyntax syntax, string argument)
    {
        if (argument.StartsWith("--", StringComparison.Ordinal))
        {
            var equals = argument.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? argument[2..] : argument[2..equals];
            var option = syntax.Options.FirstOrDefault(o => o.Long == name) ?? throw Unknown(syntax, "--" + name, name);
            return (option, equals < 0 ? null : argument[(equals + 1)..]);
        }

        var letter = syntax.Options.FirstOrDefault(o => o.Short == argument[1]) ?? throw Unknown(syntax, argument, argument[1..]);
        return (letter, argument.Length == 2 ? null : argument[2..].TrimStart('='));
    }

    private static UsageException Unknown(VerbSyntax syntax, string argument, string name)
    {
        var nearest = Spelling.Nearest(name, syntax.Options.Select(o => o.Long));
        var hint = nearest is null ? "" : $"; did you mean --{nearest}?";
        return new UsageException($"'{syntax.Verb.Name}' has no option {argument}{hint}");
    }

    private static void CheckCount(VerbSyntax syntax, List<string> values)
    {
        var missing = syntax.Values.Skip(values.Count).FirstOrDefault(v => v.Attribute.Required);
        if (missing is not null)
            throw new UsageException($"'{syntax.Verb.Name}' needs {missing.Attribute.MetaName}");
        if (values.Count > syntax.Values.Count && !syntax.Values.Any(v => v.Repeats))
            throw new UsageException($"'{syntax.Verb.Name}' has no use for '{values[syntax.Values.Count]}' (quote text that holds spaces)");
    }
}
