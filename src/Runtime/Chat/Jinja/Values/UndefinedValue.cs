namespace Weft.Chat.Jinja;

/// <summary>
/// jinja2's Undefined: it prints as nothing, counts as false, is an empty sequence and equals only itself; anything else that is done
/// with it fails with the reason why it is undefined.
/// </summary>
internal sealed class UndefinedValue : Value
{
    private readonly string? hint;
    private readonly Value? target;
    private readonly Value? key;

    private UndefinedValue(string? hint, Value? target = null, Value? key = null)
    {
        this.hint = hint;
        this.target = target;
        this.key = key;
    }

    /// <inheritdoc/>
    public override string TypeName => "Undefined";

    /// <inheritdoc/>
    public override int? Length => 0;

    /// <inheritdoc/>
    public override bool HasItems => true;

    /// <inheritdoc/>
    public override bool IsCallable => true;

    /// <summary>A name that nothing was stored under.</summary>
    public static UndefinedValue Name(string name) => new(null, null, new StringValue(name));

    /// <summary>An item or attribute that a value does not have.</summary>
    public static UndefinedValue Missing(Value target, Value key) => new(null, target, key);

    /// <summary>Undefined for another reason, which is a whole sentence.</summary>
    public static UndefinedValue Because(string hint) => new(hint);

    /// <summary>An attribute that the sandbox keeps from templates.</summary>
    public static UndefinedValue Unsafe(Value target, string name) =>
        new($"access to attribute '{name}' of '{target.TypeName}' object is unsafe.");

    /// <summary>The exception for any use that is not allowed.</summary>
    public TemplateFailure Failure(Budget budget)
    {
        if (hint is not null)
            return new(hint);
        var output = new TextBuilder(budget);
        if (target is null)
        {
            key!.Represent(output);
            return new($"{output} is undefined");
        }

        output.Append(key is StringValue ? $"'{target.Description}' has no attribute " : $"{target.Description} has no element ");
        key!.Represent(output);
        return new(output.ToString());
    }

    /// <inheritdoc/>
    public override IEnumerable<Value> Elements(RenderState state) => [];

    /// <inheritdoc/>
    public override Value Call(Arguments arguments, RenderState state) => throw Failure(state.Budget);

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append("Undefined");

    /// <inheritdoc/>
    public override void Print(TextBuilder output)
    {
    }
}
