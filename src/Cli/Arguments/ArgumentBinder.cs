using System.Globalization;
using System.Reflection;
using Weft.Convert;

namespace Weft.Cli.Arguments;

/// <summary>
/// Makes a verb with its properties set from a command line. CommandLineParser's attributes declare them; its own parser is not used, because it
/// drops surplus arguments, takes an option without its value as absent, lets a list option swallow what follows, and costs a start 40 ms.
/// </summary>
internal static class ArgumentBinder
{
    /// <summary>Returns the verb with <paramref name="arguments"/> (without its name) bound to it.</summary>
    /// <exception cref="UsageException">
    /// An option is unknown, lacks its value or has one that it does not take; or an argument is missing or too many.
    /// </exception>
    public static object Bind(VerbSyntax syntax, ReadOnlySpan<string> arguments)
    {
        var given = new Dictionary<OptionSyntax, List<string>>();
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
            if (!given.TryGetValue(option, out var texts))
                given.Add(option, texts = []);
            texts.Add(option.TakesValue ? attached ?? arguments[i] : bool.TrueString);
        }

        CheckCount(syntax, values);
        if (syntax.Options.FirstOrDefault(option => option.Attribute.Required && !given.ContainsKey(option)) is { } missing)
            throw new UsageException($"'{syntax.Verb.Name}' needs --{missing.Long}");
        var verb = syntax.Create();
        foreach (var (option, texts) in given)
            Set(verb, option.Property, texts, text => new UsageException($"'{text}' is not a value that --{option.Long} takes"));
        for (var i = 0; i < syntax.Values.Count && i < values.Count; i++)
        {
            var value = syntax.Values[i];
            Set(
                verb, value.Property, value.Repeats ? values[i..] : [values[i]],
                text => new UsageException($"'{syntax.Verb.Name}' cannot read '{text}' (a number is expected)"));
        }

        return verb;
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

    /// <summary>Of what is given several times, a sequence takes all and anything else the last.</summary>
    private static void Set(object verb, PropertyInfo property, List<string> texts, Func<string, UsageException> refusal)
    {
        var type = property.PropertyType;
        property.SetValue(verb, type == typeof(IEnumerable<string>) ? texts
            : type == typeof(IEnumerable<int>) ? texts.Select(text => (int)Parse(text, typeof(int), refusal)).ToArray()
            : Parse(texts[^1], Nullable.GetUnderlyingType(type) ?? type, refusal));
    }

    private static object Parse(string text, Type type, Func<string, UsageException> refusal)
    {
        try
        {
            return System.Convert.ChangeType(text, type, CultureInfo.InvariantCulture);
        }
        catch (Exception failure) when (failure is FormatException or OverflowException)
        {
            throw refusal(text);
        }
    }
}
