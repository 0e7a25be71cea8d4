namespace Weft.Chat.Jinja;

/// <summary>The part of a loop that its frames share: names that are set in each round, and the names of the body.</summary>
internal sealed record LoopFrame(SymbolTable Table, Target Target);

/// <summary><c>{% for target in iterable if test %}…{% else %}…{% endfor %}</c></summary>
internal sealed class ForStatement(int line) : Statement(line)
{
    /// <summary>What it goes over.</summary>
    public required Expression Iterable { get; init; }

    /// <summary>The frame of its body.</summary>
    public required LoopFrame Frame { get; init; }

    /// <summary>Where the body finds the value named loop.</summary>
    public required int LoopSlot { get; init; }

    /// <summary>The frame of the test.</summary>
    public required LoopFrame TestFrame { get; init; }

    /// <summary>Which values it leaves out; null for none.</summary>
    public Expression? Test { get; init; }

    /// <summary>Whether the body can call the loop for values within a value.</summary>
    public bool IsRecursive { get; init; }

    /// <summary>What runs for each value.</summary>
    public required Block Body { get; init; }

    /// <summary>The names of the else part.</summary>
    public required SymbolTable ElseTable { get; init; }

    /// <summary>What runs when there is no value.</summary>
    public required Block Else { get; init; }

    /// <inheritdoc/>
    protected override Flow Execute(Scope scope)
    {
        Loop(scope, Iterable.Evaluate(scope), 0);
        return Flow.Next;
    }

    private void Loop(Scope scope, Value iterable, int depth)
    {
        var state = scope.State;
        var values = state.Iterate(iterable);
        var loop = new LoopValue(
            Test is null ? values : Selected(values, scope), Test is null ? iterable.Length : null, depth, IsRecursive ? Recurse : null, state);
        var isElse = true;
        while (loop.MoveNext())
        {
            state.Budget.Step();
            var inner = scope.Open(Frame.Table);
            inner.Slots[LoopSlot] = loop;
            Frame.Target.Assign(loop.Current, inner);
            var flow = Body.Run(inner);
            // As in jinja2, else also runs where every round was cut short.
            isElse &= flow != Flow.Next;
            if (flow == Flow.Break)
                break;
        }

        if (isElse)
            Else.Run(scope.Open(ElseTable));

        Value Recurse(Value inside)
        {
            var outer = state.BeginCapture();
            state.Budget.Enter();
            Loop(scope, inside, depth + 1);
            state.Budget.Leave();
            return state.EndCapture(outer);
        }
    }

    private IEnumerable<Value> Selected(IEnumerable<Value> values, Scope scope)
    {
        foreach (var value in values)
        {
            var inner = scope.Open(TestFrame.Table);
            TestFrame.Target.Assign(value, inner);
            if (Test!.Evaluate(inner).IsTrue)
                yield return value;
        }
    }
}
