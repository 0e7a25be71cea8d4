using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using CommandLine;

namespace Weft.Cli.Arguments;

/// <summary>One option of a verb, as its attribute and property type declare it.</summary>
/// <param name="Short">The letter, or null.</param>
/// <param name="Long">The name without dashes.</param>
/// <param name="Property">What it sets.</param>
/// <param name="Attribute">The rest: help text, name of the value, whether it is required.</param>
internal sealed record OptionSyntax(char? Short, string Long, PropertyInfo Property, OptionAttribute Attribute)
{
    /// <summary>False for flags.</summary>
    public bool TakesValue => Property.PropertyType != typeof(bool);
}

/// <summary>One positional argument of a verb.</summary>
/// <param name="Property">What it sets.</param>
/// <param name="Attribute">Position, name, help text.</param>
internal sealed record ValueSyntax(PropertyInfo Property, ValueAttribute Attribute)
{
    /// <summary>Takes all that follow.</summary>
    public bool Repeats => Property.PropertyType != typeof(string) && typeof(IEnumerable).IsAssignableFrom(Property.PropertyType);
}

/// <summary>What a verb accepts, read from the CommandLineParser attributes of its class: help pages and binding share it.</summary>
internal sealed class VerbSyntax
{
    [DynamicallyAccessedMembers(VerbEntry.Bound)]
    private readonly Type type;
    private readonly Lazy<IReadOnlyList<OptionSyntax>> options;
    private readonly Lazy<IReadOnlyList<ValueSyntax>> values;

    /// <summary>Reads the attributes of <paramref name="type"/>; those of its properties when they are asked for, since a program's start sees the names of all verbs.</summary>
    public VerbSyntax([DynamicallyAccessedMembers(VerbEntry.Bound)] Type type)
    {
        this.type = type;
        Verb = type.GetCustomAttribute<VerbAttribute>() ?? throw new ArgumentException($"{type} is no verb", nameof(type));
        options = new(() =>
        [
            .. from property in this.type.GetProperties()
               let option = property.GetCustomAttribute<OptionAttribute>()
               where option is not null
               select new OptionSyntax(option.ShortName is [var letter, ..] ? letter : null, option.LongName, property, option),
        ]);
        values = new(() =>
        [
            .. from property in this.type.GetProperties()
               let value = property.GetCustomAttribute<ValueAttribute>()
               where value is not null
               orderby value.Index
               select new ValueSyntax(property, value),
        ]);
    }

    /// <summary>Name and description.</summary>
    public VerbAttribute Verb { get; }

    /// <summary>Options, those of the verb's own class first.</summary>
    public IReadOnlyList<OptionSyntax> Options => options.Value;

    /// <summary>Positional arguments in order.</summary>
    public IReadOnlyList<ValueSyntax> Values => values.Value;

    /// <summary>A verb with nothing set.</summary>
    public object Create() => Activator.CreateInstance(type)!;
}
