namespace Weft.Chat.Jinja;

/// <summary>A macro and the scope that it was defined in.</summary>
internal sealed class MacroValue(MacroDefinition macro, Scope scope) : Value
{
    /// <inheritdoc/>
    public override string TypeName => "Macro";

    /// <inheritdoc/>
    public override string Description => "jinja2.runtime.Macro object";

    /// <inheritdoc/>
    public override bool IsCallable => true;

    /// <inheritdoc/>
    public override Value? Attribute(string name) => name switch
    {
        "name" => macro.Name is null ? NoneValue.Instance : new StringValue(macro.Name),
        "arguments" => new TupleValue([.. macro.Parameters.Select(parameter => new StringValue(parameter.Name))]),
        "caller" => BoolValue.Of(macro.CallerSlot is not null || macro.HasCallerParameter),
        "catch_kwargs" => BoolValue.Of(macro.KwArgsSlot is not null),
        "catch_varargs" => BoolValue.Of(macro.VarArgsSlot is not null),
        _ => null,
    };

    /// <inheritdoc/>
    public override Value Call(Arguments arguments, RenderState state)
    {
        state.Budget.Enter();
        var line = state.Line;
        var inner = scope.Open(macro.Table);
        Bind(arguments, inner);
        var (text, _) = macro.Body.Capture(inner);
        state.Line = line;
        state.Budget.Leave();
        return text;
    }

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append(macro.Name is null ? "<Macro anonymous>" : $"<Macro {Quoted}>");

    private string Quoted => macro.Name is null ? "None" : $"'{macro.Name}'";

    private void Bind(Arguments arguments, Scope inner)
    {
        var named = arguments.Named.ToList();
        var values = macro.Parameters.Select((parameter, i) =>
            i < arguments.Positional.Count ? arguments.Positional[i] : Take(named, parameter.Name)).ToList();
        if (macro.CallerSlot is { } caller)
            inner.Slots[caller] = Take(named, "caller") ?? UndefinedValue.Because("No caller defined");
        if (macro.KwArgsSlot is { } rest)
            inner.Slots[rest] = new DictValue(named.Select(argument => KeyValuePair.Create<Value, Value>(new StringValue(argument.Key), argument.Value)), inner.State);
        else if (named.Count > 0)
            throw new TemplateFailure(Unwanted(named));
        if (macro.VarArgsSlot is { } more)
            inner.Slots[more] = new TupleValue([.. arguments.Positional.Skip(values.Count)]);
        else if (arguments.Positional.Count > values.Count)
            throw new TemplateFailure($"macro {Quoted} takes not more than {values.Count} argument(s)");
        // A default can read the parameters before it.
        for (var i = 0; i < values.Count; i++)
        {
            var parameter = macro.Parameters[i];
            inner.Slots[parameter.Slot] = values[i] ?? parameter.Default?.Evaluate(inner)
                ?? UndefinedValue.Because($"parameter '{parameter.Name}' was not provided");
        }
    }

    private string Unwanted(List<KeyValuePair<string, Value>> named) => named.Any(argument => argument.Key == "caller")
        ? $"macro {Quoted} was invoked with two values for the special caller argument. This is most likely a bug."
        : $"macro {Quoted} takes no keyword argument '{named[0].Key}'";

    private Value? Take(List<KeyValuePair<string, Value>> named, string name)
    {
        scope.State.Budget.Elements(named.Count);
        var place = named.FindIndex(argument => argument.Key == name);
        if (place < 0)
            return null;
        var value = named[place].Value;
        named.RemoveAt(place);
        return value;
    }
}
