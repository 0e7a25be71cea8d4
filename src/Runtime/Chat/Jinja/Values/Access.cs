namespace Weft.Chat.Jinja;

/// <summary>Attributes, items and slices as the sandbox of jinja2 reaches them.</summary>
internal static class Access
{
    /// <summary><c>value.name</c>: the attribute, else the item of that name.</summary>
    public static Value Attribute(Value value, string name, RenderState state)
    {
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        var key = new StringValue(name);
        return value.Attribute(name) ?? value.Item(key, state) ?? Missing(value, key);
    }

    /// <summary><c>value[key]</c>: the item with that key or index, else, for a text, the attribute of that name.</summary>
    public static Value Item(Value value, Value key, RenderState state)
    {
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        return value.Item(key, state) ?? (key is StringValue name ? value.Attribute(name.Text) : null) ?? Missing(value, key);
    }

    /// <summary>Only the attribute, as the filter attr gives it.</summary>
    public static Value AttributeOnly(Value value, string name, RenderState state)
    {
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        return value.Attribute(name) ?? Missing(value, new StringValue(name));
    }

    /// <summary><c>value[start:stop:step]</c>; null where a part is left out.</summary>
    public static Value Slice(Value value, Value? start, Value? stop, Value? step, RenderState state)
    {
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        if (value is not (StringValue or SequenceValue or RangeValue))
            throw new TemplateFailure(value is DictValue ? "unhashable type: 'slice'" : $"'{value.TypeName}' object is not subscriptable");
        var slice = SliceIndices.Create(start, stop, step, value.Length!.Value);
        state.Budget.Elements(slice.Count);
        switch (value)
        {
            case SequenceValue sequence:
                return sequence.With([.. slice.All().Select(i => sequence.Items[i])]);
            case RangeValue range:
                return new ListValue([.. slice.All().Select(i => range.At(i))]);
            default:
                return Slice((StringValue)value, slice, state);
        }
    }

    /// <summary>Whether the key is an index of a sequence of that length; negative ones count from its end.</summary>
    public static bool TryIndex(Value key, int length, out int index)
    {
        index = -1;
        if (!Arithmetic.TryNumber(key, out var number))
            return false;
        if (number < 0)
            number += length;
        if (number < 0 || number >= length)
            return false;
        index = (int)number;
        return true;
    }

    private static UndefinedValue Missing(Value value, Value key) => key is StringValue { Text: var name } && name.StartsWith("__", StringComparison.Ordinal)
        ? UndefinedValue.Unsafe(value, name)
        : UndefinedValue.Missing(value, key);

    private static StringValue Slice(StringValue value, SliceIndices slice, RenderState state)
    {
        var text = value.Text;
        state.Budget.Text(value.IsPlain ? slice.Count : text.Length);
        state.Budget.Characters(value.IsPlain && slice.Step == 1 ? 0 : text.Length);
        if (value.IsPlain)
        {
            return value.With(slice.Step == 1
                ? text.Substring(slice.Start, slice.Count)
                : string.Create(slice.Count, (text, slice), static (span, source) =>
                {
                    for (var i = 0; i < span.Length; i++)
                        span[i] = source.text[source.slice[i]];
                }));
        }

        var offsets = CodePoints.Offsets(text);
        var result = new System.Text.StringBuilder();
        foreach (var i in slice.All())
            result.Append(text, offsets[i], offsets[i + 1] - offsets[i]);
        return value.With(result.ToString());
    }
}
