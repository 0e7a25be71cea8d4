namespace Weft.Chat.Jinja;

/// <summary>The value named loop: where a loop stands. It asks for values ahead only when the template asks about them.</summary>
internal sealed class LoopValue : Value
{
    private readonly int depth;
    private readonly Func<Value, Value>? recurse;
    private readonly RenderState state;
    private IEnumerator<Value> values;
    private int? length;
    private int index = -1;
    private Value? before;
    private Value? current;
    private Value? after;
    private TupleValue? lastChanged;

    /// <summary>Begins a loop.</summary>
    /// <param name="values">What it goes over.</param>
    /// <param name="length">How many there are, where that is known.</param>
    /// <param name="depth">Loops of the same statement around this one.</param>
    /// <param name="recurse">Runs the loop for other values, where the template allows it.</param>
    /// <param name="state">The rendering.</param>
    public LoopValue(IEnumerable<Value> values, int? length, int depth, Func<Value, Value>? recurse, RenderState state)
    {
        this.values = values.GetEnumerator();
        this.length = length;
        this.depth = depth;
        this.recurse = recurse;
        this.state = state;
    }

    /// <summary>The value of this round.</summary>
    public Value Current => current!;

    /// <inheritdoc/>
    public override string TypeName => "LoopContext";

    /// <inheritdoc/>
    public override string Description => "jinja2.runtime.LoopContext object";

    /// <inheritdoc/>
    public override bool IsCallable => true;

    /// <inheritdoc/>
    public override int? Length => Count();

    /// <summary>Goes to the next round.</summary>
    public bool MoveNext()
    {
        if (Peek() is not { } next)
            return false;
        after = null;
        index++;
        before = current;
        current = next;
        return true;
    }

    /// <inheritdoc/>
    public override Value? Attribute(string name) => name switch
    {
        "index" => new IntValue(index + 1),
        "index0" => new IntValue(index),
        "revindex" => new IntValue(Count() - index),
        "revindex0" => new IntValue(Count() - index - 1),
        "first" => BoolValue.Of(index == 0),
        "last" => BoolValue.Of(Peek() is null),
        "length" => new IntValue(Count()),
        "depth" => new IntValue(depth + 1),
        "depth0" => new IntValue(depth),
        "previtem" => before ?? UndefinedValue.Because("there is no previous item"),
        "nextitem" => Peek() ?? UndefinedValue.Because("there is no next item"),
        "cycle" => new FunctionValue(name, (arguments, _) => arguments.Positional.Count > 0
            ? arguments.Positional[index % arguments.Positional.Count]
            : throw new TemplateFailure("no items for cycling given")),
        "changed" => new FunctionValue(name, (arguments, _) => BoolValue.Of(HasChanged(new TupleValue(arguments.Positional)))),
        _ => null,
    };

    /// <inheritdoc/>
    public override Value Call(Arguments arguments, RenderState state)
    {
        if (recurse is null)
            throw new TemplateFailure("The loop must have the 'recursive' marker to be called recursively.");
        return recurse(arguments.Bind("loop", 1, "iterable")[0]!);
    }

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append($"<LoopContext {index + 1}/{Count()}>");

    private bool HasChanged(TupleValue values)
    {
        if (lastChanged is not null && Comparison.AreEqual(lastChanged, values, state.Budget))
            return false;
        lastChanged = values;
        return true;
    }

    private Value? Peek()
    {
        if (after is null && values.MoveNext())
            after = values.Current;
        return after;
    }

    private int Count()
    {
        if (length is { } known)
            return known;
        var rest = new List<Value>();
        while (values.MoveNext())
            rest.Add(values.Current);
        values = rest.GetEnumerator();
        length = rest.Count + index + 1 + (after is null ? 0 : 1);
        return length.Value;
    }
}
