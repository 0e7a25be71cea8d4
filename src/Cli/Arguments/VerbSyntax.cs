using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using CommandLine;

namespace Weft.Cli.Arguments;

/// <summary>One option of a verb, as its attribute and property type declare it.</summary>
/// <param name="Short">The letter, or null.</param>
/// <param name="Long">The name without dashes.</param>
/// <param name="TakesValue">False for flags.</param>
/// <param name="Attribute">The rest: help text, name of the value, default.</param>
internal sealed record OptionSyntax(char? Short, string Long, bool TakesValue, OptionAttribute Attribute);

/// <summary>One positional argument of a verb.</summary>
/// <param name="Repeats">Takes all that follow.</param>
/// <param name="Attribute">Position, name, help text.</param>
internal sealed record ValueSyntax(bool Repeats, ValueAttribute Attribute);

/// <summary>What a verb accepts, read from the CommandLineParser attributes of its class: help pages and checks share it.</summary>
internal sealed class VerbSyntax
{
    private readonly Lazy<PropertyInfo[]> properties;
    private readonly Lazy<IReadOnlyList<OptionSyntax>> options;
    private readonly Lazy<IReadOnlyList<ValueSyntax>> values;

    /// <summary>Reads the attributes of <paramref name="type"/>; those of its properties when they are asked for, since a program's start sees the names of all verbs.</summary>
    public VerbSyntax([DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] Type type)
    {
        Verb = type.GetCustomAttribute<VerbAttribute>() ?? throw new ArgumentException($"{type} is no verb", nameof(type));
        properties = new(() => type.GetProperties());
        options = new(() =>
        [
            .. from property in properties.Value
               let option = property.GetCustomAttribute<OptionAttribute>()
               where option is not null
               select new OptionSyntax(
                   option.ShortName is [var letter, ..] ? letter : null, option.LongName, property.PropertyType != typeof(bool), option),
        ]);
        values = new(() =>
        [
            .. from property in properties.Value
               let value = property.GetCustomAttribute<ValueAttribute>()
               where value is not null
               orderby value.Index
               select new ValueSyntax(IsSequence(property.PropertyType), value),
        ]);
    }

    /// <summary>Name and description.</summary>
    public VerbAttribute Verb { get; }

    /// <summary>Options, those of the verb's own class first.</summary>
    public IReadOnlyList<OptionSyntax> Options => options.Value;

    /// <summary>Positional arguments in order.</summary>
    public IReadOnlyList<ValueSyntax> Values => values.Value;

    private static bool IsSequence(Type type) => type != typeof(string) && typeof(IEnumerable).IsAssignableFrom(type);
}
