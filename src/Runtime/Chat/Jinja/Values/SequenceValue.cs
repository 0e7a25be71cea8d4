namespace Weft.Chat.Jinja;

/// <summary>A list or tuple.</summary>
internal abstract class SequenceValue(IReadOnlyList<Value> items) : Value
{
    /// <summary>The items.</summary>
    public IReadOnlyList<Value> Items => items;

    /// <inheritdoc/>
    public override int? Length => items.Count;

    /// <inheritdoc/>
    public override bool HasItems => true;

    /// <summary>Another sequence of the same type.</summary>
    public abstract SequenceValue With(IReadOnlyList<Value> other);

    /// <inheritdoc/>
    public override Value? Attribute(string name) => ContainerMethods.Find(this, name);

    /// <inheritdoc/>
    public override Value? Item(Value key, RenderState state) => Access.TryIndex(key, items.Count, out var index) ? items[index] : null;

    /// <inheritdoc/>
    public override IEnumerable<Value> Elements(RenderState state) => items;

    /// <summary>Writes the items between brackets.</summary>
    protected void Represent(TextBuilder output, char open, string close)
    {
        output.Append(open);
        for (var i = 0; i < items.Count; i++)
        {
            output.Budget.Step();
            if (i > 0)
                output.Append(", ");
            items[i].Represent(output);
        }

        output.Append(close);
    }
}

/// <summary>A list.</summary>
internal sealed class ListValue(IReadOnlyList<Value> items) : SequenceValue(items)
{
    /// <inheritdoc/>
    public override string TypeName => "list";

    /// <inheritdoc/>
    public override SequenceValue With(IReadOnlyList<Value> other) => new ListValue(other);

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => Represent(output, '[', "]");
}

/// <summary>A tuple.</summary>
internal class TupleValue(IReadOnlyList<Value> items) : SequenceValue(items)
{
    /// <inheritdoc/>
    public override string TypeName => "tuple";

    /// <inheritdoc/>
    public override SequenceValue With(IReadOnlyList<Value> other) => new TupleValue(other);

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => Represent(output, '(', Items.Count == 1 ? ",)" : ")");
}

/// <summary>What groupby gives: a tuple whose items also have names.</summary>
internal sealed class GroupValue(Value grouper, ListValue list) : TupleValue([grouper, list])
{
    /// <inheritdoc/>
    public override Value? Attribute(string name) => name switch
    {
        "grouper" => grouper,
        "list" => list,
        _ => base.Attribute(name),
    };
}
