namespace Weft.Chat.Jinja;

/// <summary>A value of a scope: how many scopes outwards, and which slot there.</summary>
internal readonly record struct Place(int Hops, int Slot);

/// <summary>
/// Where a name is looked for: its places from the inside out, of which the first that holds a value has it, then, where
/// <paramref name="IsVariable"/> is set, the template's variables and the global functions.
/// </summary>
internal sealed record Binding(string Name, Place[] Places, bool IsVariable);

/// <summary>A reading of a name; its binding is known when the whole template is read.</summary>
internal sealed class NameReference(string name, SymbolTable table)
{
    private Binding? binding;

    /// <summary>The name.</summary>
    public string Name => name;

    /// <summary>Decides where the name lives.</summary>
    public void Bind() => binding = table.Bind(name);

    /// <summary>The value of the name, or undefined.</summary>
    public Value Read(Scope scope)
    {
        var hops = 0;
        foreach (var place in binding!.Places)
        {
            for (; hops < place.Hops; hops++)
                scope = scope.Parent!;
            if (scope.Slots[place.Slot] is { } value)
                return value;
        }

        return binding.IsVariable ? scope.State.Variable(name) : UndefinedValue.Name(name);
    }
}
