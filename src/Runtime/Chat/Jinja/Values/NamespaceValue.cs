namespace Weft.Chat.Jinja;

/// <summary>What namespace() gives: the only value that a template can change, and so carry out of a loop.</summary>
internal sealed class NamespaceValue(DictValue initial) : Value
{
    // Names set later come behind; a dictionary from which nothing is removed keeps their order.
    private readonly Dictionary<string, Value> values = initial.Entries.ToDictionary(entry => ((StringValue)entry.Key).Text, entry => entry.Value);

    /// <inheritdoc/>
    public override string TypeName => "Namespace";

    /// <inheritdoc/>
    public override string Description => "jinja2.utils.Namespace object";

    /// <inheritdoc/>
    public override Value? Attribute(string name) => values.GetValueOrDefault(name);

    /// <summary>Sets a value.</summary>
    public void Set(string name, Value value) => values[name] = value;

    /// <inheritdoc/>
    public override void Represent(TextBuilder output)
    {
        // A namespace can hold itself.
        output.Budget.Step();
        output.Append("<Namespace {");
        var separator = "";
        foreach (var (name, value) in values)
        {
            PythonText.Quote(name, output.Append(separator));
            value.Represent(output.Append(": "));
            separator = ", ";
        }

        output.Append("}>");
    }
}
