namespace Weft.Chat.Jinja;

/// <summary>A parameter of a macro.</summary>
internal sealed record MacroParameter(string Name, int Slot, Expression? Default);

/// <summary>A macro, or the body of a call block, as the template defines it.</summary>
internal sealed class MacroDefinition
{
    /// <summary>Its name; null for the body of a call block.</summary>
    public string? Name { get; init; }

    /// <summary>The names of its body.</summary>
    public required SymbolTable Table { get; init; }

    /// <summary>Its parameters.</summary>
    public required IReadOnlyList<MacroParameter> Parameters { get; init; }

    /// <summary>Where the body of a call block goes, if the macro asks for it.</summary>
    public int? CallerSlot { get; init; }

    /// <summary>Whether the macro asks for the body of a call block by a parameter of its own.</summary>
    public bool HasCallerParameter { get; init; }

    /// <summary>Where further positional arguments go, if the macro asks for them.</summary>
    public int? VarArgsSlot { get; init; }

    /// <summary>Where further named arguments go, if the macro asks for them.</summary>
    public int? KwArgsSlot { get; init; }

    /// <summary>What it writes.</summary>
    public required Block Body { get; init; }
}

/// <summary><c>{% macro name(parameters) %}</c></summary>
internal sealed class MacroStatement(int line, int slot, MacroDefinition macro) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Scope scope)
    {
        scope.Slots[slot] = new MacroValue(macro, scope);
        return Flow.Next;
    }
}

/// <summary><c>{% call(parameters) macro(arguments) %}</c></summary>
internal sealed class CallStatement(int line, CallExpression call, MacroDefinition body) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Scope scope)
    {
        call.Call(scope, new MacroValue(body, scope)).Print(scope.State.Output);
        return Flow.Next;
    }
}
