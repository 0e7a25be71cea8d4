namespace Weft.Chat.Jinja;

/// <summary>One rendering: its variables, its output, its clock and what it may still use.</summary>
internal sealed class RenderState
{
    /// <summary>Begins a rendering.</summary>
    public RenderState(RenderLimits limits, DateTime now)
    {
        Budget = new(limits);
        Keys = new(Budget);
        Output = new(Budget);
        Now = now;
    }

    /// <summary>What may still be used.</summary>
    public Budget Budget { get; }

    /// <summary>How dictionaries compare their keys.</summary>
    public KeyComparer Keys { get; }

    /// <summary>Where text goes.</summary>
    public TextBuilder Output { get; private set; }

    /// <summary>What strftime_now formats.</summary>
    public DateTime Now { get; }

    /// <summary>The line of the statement that runs.</summary>
    public int Line { get; set; }

    /// <summary>The variables that the caller gave.</summary>
    public Dictionary<string, Value> Variables { get; } = [];

    /// <summary>The variable or global function of that name.</summary>
    public Value Variable(string name) =>
        Variables.TryGetValue(name, out var value) || Globals.TryGet(name, out value) ? value : UndefinedValue.Name(name);

    /// <summary>Text goes into a new buffer from here on; returns the old one for <see cref="EndCapture"/>.</summary>
    public TextBuilder BeginCapture()
    {
        var outer = Output;
        Output = new(Budget);
        return outer;
    }

    /// <summary>Text goes where it went before; returns what was captured.</summary>
    public StringValue EndCapture(TextBuilder outer)
    {
        var text = Output.ToString();
        Output = outer;
        return new(text);
    }

    /// <summary>The values of an iterable.</summary>
    public IEnumerable<Value> Iterate(Value value)
    {
        var elements = value.Elements(this) ?? throw new TemplateFailure($"'{value.TypeName}' object is not iterable");
        return Count(elements.GetEnumerator());
    }

    // The stack is checked on the way in: filters that wrap generators nest one in the other without a call of their own between.
    private IEnumerable<Value> Count(IEnumerator<Value> values)
    {
        while (true)
        {
            Budget.CheckStack();
            if (!values.MoveNext())
                yield break;
            Budget.Elements(1);
            yield return values.Current;
        }
    }
}
