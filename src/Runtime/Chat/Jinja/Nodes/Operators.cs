namespace Weft.Chat.Jinja;

/// <summary>An arithmetic operator between two values.</summary>
internal sealed class BinaryExpression(Func<Value, Value, RenderState, Value> operation, Expression left, Expression right) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope) => operation(left.Evaluate(scope), right.Evaluate(scope), scope.State);
}

/// <summary>A sign before a value.</summary>
internal sealed class UnaryExpression(Func<Value, RenderState, Value> operation, Expression value) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope) => operation(value.Evaluate(scope), scope.State);
}

/// <summary><c>not value</c></summary>
internal sealed class NotExpression(Expression value) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope) => BoolValue.Of(!value.Evaluate(scope).IsTrue);
}

/// <summary><c>and</c> and <c>or</c>: the operand that decides, and the right one only where it must be looked at.</summary>
internal sealed class LogicalExpression(Expression left, Expression right, bool isAnd) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope)
    {
        var value = left.Evaluate(scope);
        return value.IsTrue == isAnd ? right.Evaluate(scope) : value;
    }
}

/// <summary><c>a ~ b ~ c</c>: the printed values one after another.</summary>
internal sealed class ConcatExpression(IReadOnlyList<Expression> parts) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope)
    {
        var output = new TextBuilder(scope.State.Budget);
        foreach (var part in parts)
            part.Evaluate(scope).Print(output);
        return new StringValue(output.ToString());
    }
}

/// <summary><c>a &lt; b &lt;= c</c>: each operand is evaluated once, and none behind the first comparison that fails.</summary>
internal sealed class CompareExpression(Expression first, IReadOnlyList<(string Operator, Expression Operand)> rest) : Expression
{
    /// <inheritdoc/>
    protected override Value Compute(Scope scope)
    {
        var left = first.Evaluate(scope);
        foreach (var (name, operand) in rest)
        {
            var right = operand.Evaluate(scope);
            if (!Holds(name, left, right, scope.State))
                return BoolValue.False;
            left = right;
        }

        return BoolValue.True;
    }

    private static bool Holds(string name, Value left, Value right, RenderState state) => name switch
    {
        "==" => Comparison.AreEqual(left, right, state.Budget),
        "!=" => !Comparison.AreEqual(left, right, state.Budget),
        "<" => Comparison.Order(left, right, name, state.Budget) < 0,
        "<=" => Comparison.Order(left, right, name, state.Budget) <= 0,
        ">" => Comparison.Order(left, right, name, state.Budget) > 0,
        ">=" => Comparison.Order(left, right, name, state.Budget) >= 0,
        "in" => Comparison.Contains(right, left, state),
        _ => !Comparison.Contains(right, left, state),
    };
}
