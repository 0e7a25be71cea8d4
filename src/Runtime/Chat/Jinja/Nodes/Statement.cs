namespace Weft.Chat.Jinja;

/// <summary>How a statement ended.</summary>
internal enum Flow
{
    /// <summary>The next one follows.</summary>
    Next,

    /// <summary>The loop around ends.</summary>
    Break,

    /// <summary>The next round of the loop around begins.</summary>
    Continue,
}

/// <summary>A part of a template that writes text or stores values.</summary>
internal abstract class Statement(int line)
{
    /// <summary>Runs it.</summary>
    public Flow Run(Scope scope)
    {
        scope.State.Budget.Step();
        scope.State.Line = line;
        return Execute(scope);
    }

    /// <summary>Does the work; the step is counted.</summary>
    protected abstract Flow Execute(Scope scope);
}

/// <summary>Statements one after another.</summary>
internal sealed class Block(IReadOnlyList<Statement> statements)
{
    /// <summary>Runs them until one ends a loop or its round.</summary>
    public Flow Run(Scope scope)
    {
        foreach (var statement in statements)
        {
            if (statement.Run(scope) is var flow and not Flow.Next)
                return flow;
        }

        return Flow.Next;
    }

    /// <summary>Runs them and gives what they wrote.</summary>
    public (StringValue Text, Flow Flow) Capture(Scope scope)
    {
        var outer = scope.State.BeginCapture();
        var flow = Run(scope);
        return (scope.State.EndCapture(outer), flow);
    }
}

/// <summary>Text between tags.</summary>
internal sealed class TextStatement(int line, string text) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Scope scope)
    {
        scope.State.Output.Append(text);
        return Flow.Next;
    }
}

/// <summary><c>{{ value }}</c>, and <c>{% print %}</c> with several values.</summary>
internal sealed class OutputStatement(int line, IReadOnlyList<Expression> values) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Scope scope)
    {
        foreach (var value in values)
            value.Evaluate(scope).Print(scope.State.Output);
        return Flow.Next;
    }
}

/// <summary><c>{% if %}</c> with its <c>elif</c> and <c>else</c>.</summary>
internal sealed class IfStatement(int line, IReadOnlyList<(Expression Test, Block Body)> branches, Block otherwise) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Scope scope)
    {
        foreach (var (test, body) in branches)
        {
            if (test.Evaluate(scope).IsTrue)
                return body.Run(scope);
        }

        return otherwise.Run(scope);
    }
}

/// <summary><c>{% break %}</c> and <c>{% continue %}</c></summary>
internal sealed class JumpStatement(int line, Flow flow) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Scope scope) => flow;
}

/// <summary>A block with names of its own: with, whose names are set from outside, or one without names.</summary>
internal sealed class ScopeStatement(int line, SymbolTable table, IReadOnlyList<(Target Target, Expression Value)> values, Block body) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Scope scope)
    {
        var inner = scope.Open(table);
        foreach (var (target, value) in values)
            target.Assign(value.Evaluate(scope), inner);
        return body.Run(inner);
    }
}

/// <summary><c>{% filter name %}</c></summary>
internal sealed class FilterStatement(int line, SymbolTable table, FilterExpression filter, Block body) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Scope scope)
    {
        var (text, flow) = body.Capture(scope.Open(table));
        if (flow == Flow.Next)
            filter.Apply(text, scope).Print(scope.State.Output);
        return flow;
    }
}
