namespace Weft.Chat.Jinja;

/// <summary>What a value is stored in.</summary>
internal abstract class Target
{
    /// <summary>Stores it.</summary>
    public abstract void Assign(Value value, Scope scope);
}

/// <summary>A name of the frame.</summary>
internal sealed class NameTarget(int slot) : Target
{
    /// <inheritdoc/>
    public override void Assign(Value value, Scope scope) => scope.Slots[slot] = value;
}

/// <summary>A value of a namespace.</summary>
internal sealed class NamespaceTarget(NameReference reference, string name) : Target
{
    /// <inheritdoc/>
    public override void Assign(Value value, Scope scope)
    {
        if (reference.Read(scope) is not NamespaceValue space)
            throw new TemplateFailure("cannot assign attribute on non-namespace object");
        space.Set(name, value);
    }
}

/// <summary>Several targets, which take the items of the value.</summary>
internal sealed class TupleTarget(IReadOnlyList<Target> targets) : Target
{
    /// <inheritdoc/>
    public override void Assign(Value value, Scope scope)
    {
        if (value.Elements(scope.State) is null)
            throw new TemplateFailure($"cannot unpack non-iterable {value.TypeName} object");
        var items = scope.State.Iterate(value).Take(targets.Count + 1).ToList();
        if (items.Count > targets.Count)
            throw new TemplateFailure($"too many values to unpack (expected {targets.Count})");
        if (items.Count < targets.Count)
            throw new TemplateFailure($"not enough values to unpack (expected {targets.Count}, got {items.Count})");
        for (var i = 0; i < items.Count; i++)
            targets[i].Assign(items[i], scope);
    }
}

/// <summary><c>{% set target = value %}</c></summary>
internal sealed class SetStatement(int line, Target target, Expression value) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Scope scope)
    {
        target.Assign(value.Evaluate(scope), scope);
        return Flow.Next;
    }
}

/// <summary><c>{% set target %}…{% endset %}</c></summary>
internal sealed class SetBlockStatement(int line, Target target, SymbolTable table, FilterExpression? filter, Block body) : Statement(line)
{
    /// <inheritdoc/>
    protected override Flow Execute(Scope scope)
    {
        var (text, flow) = body.Capture(scope.Open(table));
        if (flow == Flow.Next)
            target.Assign(filter?.Apply(text, scope) ?? text, scope);
        return flow;
    }
}
