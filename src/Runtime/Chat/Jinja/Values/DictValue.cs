namespace Weft.Chat.Jinja;

/// <summary>A dict: keys keep the order in which they first came, and the last value of a key counts.</summary>
internal sealed class DictValue : Value
{
    private readonly Dictionary<Value, int> places;
    private readonly List<KeyValuePair<Value, Value>> entries;

    /// <summary>Makes a dict.</summary>
    /// <exception cref="TemplateFailure">A key is a list or dict.</exception>
    public DictValue(IEnumerable<KeyValuePair<Value, Value>> entries, RenderState state)
    {
        places = new(state.Keys);
        this.entries = [];
        foreach (var (key, value) in entries)
        {
            if (places.TryGetValue(key, out var place))
                this.entries[place] = new(this.entries[place].Key, value);
            else
                Add(key, value);
        }

        void Add(Value key, Value value)
        {
            places.Add(key, this.entries.Count);
            this.entries.Add(new(key, value));
        }
    }

    /// <summary>Keys and values in their order.</summary>
    public IReadOnlyList<KeyValuePair<Value, Value>> Entries => entries;

    /// <inheritdoc/>
    public override string TypeName => "dict";

    /// <inheritdoc/>
    public override int? Length => entries.Count;

    /// <inheritdoc/>
    public override bool HasItems => true;

    /// <summary>The value of a key, or null.</summary>
    /// <exception cref="TemplateFailure">The key is a list or dict.</exception>
    public Value? Find(Value key) => places.TryGetValue(key, out var place) ? entries[place].Value : null;

    /// <inheritdoc/>
    public override Value? Attribute(string name) => ContainerMethods.Find(this, name);

    /// <inheritdoc/>
    public override Value? Item(Value key, RenderState state) => state.Keys.IsHashable(key) ? Find(key) : null;

    /// <inheritdoc/>
    public override IEnumerable<Value> Elements(RenderState state) => entries.Select(entry => entry.Key);

    /// <inheritdoc/>
    public override void Represent(TextBuilder output)
    {
        output.Append('{');
        for (var i = 0; i < entries.Count; i++)
        {
            output.Budget.Step();
            if (i > 0)
                output.Append(", ");
            entries[i].Key.Represent(output);
            output.Append(": ");
            entries[i].Value.Represent(output);
        }

        output.Append('}');
    }
}

/// <summary>What keys(), values() and items() of a dict give.</summary>
internal sealed class DictViewValue(DictValue dict, string part) : Value
{
    /// <inheritdoc/>
    public override string TypeName => $"dict_{part}";

    /// <inheritdoc/>
    public override int? Length => dict.Length;

    /// <inheritdoc/>
    public override IEnumerable<Value> Elements(RenderState state) => Elements();

    /// <inheritdoc/>
    public override void Represent(TextBuilder output)
    {
        output.Append(TypeName).Append('(');
        new ListValue([.. Elements()]).Represent(output);
        output.Append(')');
    }

    private IEnumerable<Value> Elements() => dict.Entries.Select(entry => part switch
    {
        "keys" => entry.Key,
        "values" => entry.Value,
        _ => new TupleValue([entry.Key, entry.Value]),
    });
}
