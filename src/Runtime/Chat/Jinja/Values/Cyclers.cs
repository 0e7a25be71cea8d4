namespace Weft.Chat.Jinja;

/// <summary>What cycler() gives: values in turn.</summary>
internal sealed class CyclerValue(IReadOnlyList<Value> items) : Value
{
    private int position;

    /// <inheritdoc/>
    public override string TypeName => "Cycler";

    /// <inheritdoc/>
    public override string Description => "jinja2.utils.Cycler object";

    /// <inheritdoc/>
    public override Value? Attribute(string name) => name switch
    {
        "current" => items[position],
        "next" => new FunctionValue(name, (arguments, _) =>
        {
            arguments.Bind(name, 0);
            var item = items[position];
            position = (position + 1) % items.Count;
            return item;
        }),
        "reset" => new FunctionValue(name, (arguments, _) =>
        {
            arguments.Bind(name, 0);
            position = 0;
            return NoneValue.Instance;
        }),
        _ => null,
    };

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append("<Cycler>");
}

/// <summary>What joiner() gives: nothing at its first call, then its separator.</summary>
internal sealed class JoinerValue(Value separator) : Value
{
    private bool used;

    /// <inheritdoc/>
    public override string TypeName => "Joiner";

    /// <inheritdoc/>
    public override string Description => "jinja2.utils.Joiner object";

    /// <inheritdoc/>
    public override bool IsCallable => true;

    /// <inheritdoc/>
    public override Value Call(Arguments arguments, RenderState state)
    {
        arguments.Bind("joiner", 0);
        var result = used ? separator : StringValue.Empty;
        used = true;
        return result;
    }

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append("<Joiner>");
}
