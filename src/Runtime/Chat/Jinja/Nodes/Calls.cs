namespace Weft.Chat.Jinja;

/// <summary>The arguments that a call, filter or test is written with.</summary>
internal sealed record ArgumentList(
    IReadOnlyList<Expression> Positional, IReadOnlyList<KeyValuePair<string, Expression>> Named, Expression? Star, Expression? DoubleStar)
{
    /// <summary>No arguments.</summary>
    public static readonly ArgumentList None = new([], [], null, null);

    /// <summary>Evaluates them.</summary>
    /// <param name="scope">Where.</param>
    /// <param name="caller">The body of a call block, which is given as an argument of that name.</param>
    public Arguments Evaluate(Scope scope, Value? caller = null)
    {
        if (ReferenceEquals(this, None) && caller is null)
            return Arguments.None;
        var positional = Positional.Select(argument => argument.Evaluate(scope)).ToList();
        var named = Named.Select(argument => KeyValuePair.Create(argument.Key, argument.Value.Evaluate(scope))).ToList();
        if (caller is not null)
            named.Add(new("caller", caller));
        if (Star is not null)
            positional.AddRange(scope.State.Iterate(Star.Evaluate(scope)));
        if (DoubleStar is not null)
            AddAll(DoubleStar.Evaluate(scope), named);
        return new(positional, named);
    }

    private static void AddAll(Value value, List<KeyValuePair<string, Value>> named)
    {
        if (value is not DictValue dict)
            throw new TemplateFailure($"argument after ** must be a mapping, not {value.TypeName}");
        var names = named.Select(argument => argument.Key).ToHashSet();
        foreach (var (key, argument) in dict.Entries)
        {
            if (key is not StringValue { Text: var name })
                throw new TemplateFailure("keywords must be strings");
            if (!names.Add(name))
                throw new TemplateFailure($"got multiple values for keyword argument '{name}'");
            named.Add(new(name, argument));
        }
    }
}

/// <summary><c>function(arguments)</c></summary>
internal sealed class CallExpression(Expression function, ArgumentList arguments) : Expression
{
    /// <summary>Calls it with the body of a call block.</summary>
    public Value Call(Scope scope, Value? caller) => function.Evaluate(scope).Call(arguments.Evaluate(scope, caller), scope.State);

    /// <inheritdoc/>
    protected override Value Compute(Scope scope) => Call(scope, null);
}

/// <summary><c>value|name(arguments)</c></summary>
/// <param name="name">The filter's name.</param>
/// <param name="value">What is filtered; null for the text of a block.</param>
/// <param name="arguments">Its arguments.</param>
internal sealed class FilterExpression(string name, Expression? value, ArgumentList arguments) : Expression
{
    /// <summary>Filters the text of a block.</summary>
    public Value Apply(Value text, Scope scope)
    {
        scope.State.Budget.Step();
        var input = value is FilterExpression inner ? inner.Apply(text, scope) : text;
        return Filters.Call(name, input, arguments.Evaluate(scope), scope.State);
    }

    /// <inheritdoc/>
    protected override Value Compute(Scope scope) =>
        Filters.Call(name, value!.Evaluate(scope), arguments.Evaluate(scope), scope.State);
}

/// <summary><c>value is name(arguments)</c></summary>
internal sealed class TestExpression(string name, Expression value, ArgumentList arguments) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope) =>
        BoolValue.Of(ValueTests.Call(name, value.Evaluate(scope), arguments.Evaluate(scope), scope.State));
}
