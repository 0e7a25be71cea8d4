namespace Weft.Chat.Jinja;

/// <summary>A part of a template that has a value.</summary>
internal abstract class Expression
{
    /// <summary>Its value now.</summary>
    public Value Evaluate(Scope scope)
    {
        scope.State.Budget.Step();
        return Compute(scope);
    }

    /// <summary>Computes the value; the step is counted.</summary>
    protected abstract Value Compute(Scope scope);
}

/// <summary>A value written in the template.</summary>
internal sealed class LiteralExpression(Value value) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope) => value;
}

/// <summary>A name.</summary>
internal sealed class NameExpression(NameReference reference) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope) => reference.Read(scope);
}

/// <summary>A list or tuple written in the template.</summary>
internal sealed class SequenceExpression(IReadOnlyList<Expression> items, bool isTuple) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope)
    {
        var values = new Value[items.Count];
        for (var i = 0; i < values.Length; i++)
            values[i] = items[i].Evaluate(scope);
        return isTuple ? new TupleValue(values) : new ListValue(values);
    }
}

/// <summary>A dict written in the template.</summary>
internal sealed class DictExpression(IReadOnlyList<KeyValuePair<Expression, Expression>> entries) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope) => new DictValue(
        entries.Select(entry => KeyValuePair.Create(entry.Key.Evaluate(scope), entry.Value.Evaluate(scope))), scope.State);
}

/// <summary><c>value.name</c></summary>
internal sealed class AttributeExpression(Expression value, string name) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope) => Access.Attribute(value.Evaluate(scope), name, scope.State);
}

/// <summary><c>value[key]</c></summary>
internal sealed class ItemExpression(Expression value, Expression key) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope) => Access.Item(value.Evaluate(scope), key.Evaluate(scope), scope.State);
}

/// <summary><c>value[start:stop:step]</c></summary>
internal sealed class SliceExpression(Expression value, Expression? start, Expression? stop, Expression? step) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope) => Access.Slice(
        value.Evaluate(scope), start?.Evaluate(scope), stop?.Evaluate(scope), step?.Evaluate(scope), scope.State);
}

/// <summary><c>value if test else otherwise</c></summary>
internal sealed class ConditionalExpression(Expression test, Expression value, Expression? otherwise, int line) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope)
    {
        if (test.Evaluate(scope).IsTrue)
            return value.Evaluate(scope);
        return otherwise?.Evaluate(scope) ?? UndefinedValue.Because(
            $"the inline if-expression on line {line} evaluated to false and no else section was defined.");
    }
}
