namespace Weft.Chat.Jinja;

/// <summary>Filters that count, join, reverse and cut what can be iterated.</summary>
internal static class ListFilters
{
    /// <summary>The filters by name.</summary>
    public static IReadOnlyDictionary<string, Filter> All { get; } = new Dictionary<string, Filter>
    {
        ["attr"] = (value, arguments, state) =>
            Access.AttributeOnly(value, Conversion.RequireText(arguments.Bind("attr", 1, "name")[0]!, "attr()"), state),
        ["batch"] = Batch,
        ["count"] = Count,
        ["d"] = Default,
        ["default"] = Default,
        ["first"] = First,
        ["items"] = Items,
        ["join"] = Join,
        ["last"] = Last,
        ["length"] = Count,
        ["list"] = ToList,
        ["reverse"] = Reverse,
        ["slice"] = Slice,
        ["sum"] = Sum,
    };

    private static ListValue ToList(Value value, Arguments arguments, RenderState state)
    {
        arguments.Bind("list", 0);
        return new([.. state.Iterate(value)]);
    }

    private static IteratorValue Batch(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("batch", 1, "linecount", "fill_with");
        return new("generator", Batches());

        IEnumerable<Value> Batches()
        {
            var batch = new List<Value>();
            foreach (var item in state.Iterate(value))
            {
                if (Arithmetic.TryNumber(bound[0]!, out var size) && batch.Count == size)
                {
                    yield return new ListValue(batch);
                    batch = [];
                }

                batch.Add(item);
            }

            if (batch.Count == 0)
                yield break;
            var missing = bound[1] is null or NoneValue ? 0 : Conversion.ToIndex(bound[0]!) - batch.Count;
            state.Budget.Elements(Math.Max(missing, 0));
            for (; missing > 0; missing--)
                batch.Add(bound[1]!);
            yield return new ListValue(batch);
        }
    }

    private static IntValue Count(Value value, Arguments arguments, RenderState state)
    {
        arguments.Bind("len", 0);
        return new(value.Length ?? throw new TemplateFailure($"object of type '{value.TypeName}' has no len()"));
    }

    private static Value Default(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("default", 0, "default_value", "boolean");
        return value is UndefinedValue || (bound[1] is { IsTrue: true } && !value.IsTrue) ? bound[0] ?? StringValue.Empty : value;
    }

    private static Value First(Value value, Arguments arguments, RenderState state)
    {
        arguments.Bind("first", 0);
        return state.Iterate(value).FirstOrDefault() ?? UndefinedValue.Because("No first item, sequence was empty.");
    }

    private static IteratorValue Items(Value value, Arguments arguments, RenderState state)
    {
        arguments.Bind("items", 0);
        return new("generator", Pairs());

        IEnumerable<Value> Pairs()
        {
            if (value is UndefinedValue)
                yield break;
            if (value is not DictValue dict)
                throw new TemplateFailure("Can only get item pairs from a mapping.");
            foreach (var (key, item) in dict.Entries)
                yield return new TupleValue([key, item]);
        }
    }

    private static StringValue Join(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("join", 0, "d", "attribute");
        var separator = bound[0] is null ? "" : Conversion.ToText(bound[0]!, state).Text;
        var path = new AttributePath(bound[1], state);
        var output = new TextBuilder(state.Budget);
        var isFirst = true;
        foreach (var item in state.Iterate(value))
        {
            if (!isFirst)
                output.Append(separator);
            path.Read(item, state).Print(output);
            isFirst = false;
        }

        return new(output.ToString());
    }

    private static Value Last(Value value, Arguments arguments, RenderState state)
    {
        arguments.Bind("last", 0);
        if (value is StringValue or SequenceValue or RangeValue && value.Item(new IntValue(-1), state) is { } last)
            return last;
        return Reversed(value, state).FirstOrDefault() ?? UndefinedValue.Because("No last item, sequence was empty.");
    }

    private static IEnumerable<Value> Reversed(Value value, RenderState state)
    {
        if (value is IteratorValue || value.Elements(state) is null)
            throw new TemplateFailure($"'{value.TypeName}' object is not reversible");
        if (value is SequenceValue sequence)
            return Enumerable.Range(1, sequence.Items.Count).Select(i => sequence.Items[^i]);
        return state.Iterate(value).ToList().AsEnumerable().Reverse();
    }

    private static Value Reverse(Value value, Arguments arguments, RenderState state)
    {
        arguments.Bind("reverse", 0);
        if (value is StringValue)
            return Access.Slice(value, null, null, new IntValue(-1), state);
        if (value.Elements(state) is null)
            throw new TemplateFailure("argument must be iterable");
        // What Python cannot walk backwards becomes a list.
        return value is IteratorValue ? new ListValue([.. state.Iterate(value).ToList().AsEnumerable().Reverse()])
            : new IteratorValue(value switch
        {
            ListValue => "list_reverseiterator",
            DictValue => "dict_reversekeyiterator",
            _ => "reversed",
        }, Reversed(value, state));
    }

    private static IteratorValue Slice(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("slice", 1, "slices", "fill_with");
        return new("generator", Slices());

        IEnumerable<Value> Slices()
        {
            var items = state.Iterate(value).ToList();
            var count = Conversion.ToIndex(bound[0]!);
            if (count == 0)
                throw new TemplateFailure("integer division or modulo by zero");
            var (size, longer) = (items.Count / count, items.Count % count);
            for (var (i, begin) = (0L, 0); i < count; i++)
            {
                state.Budget.Elements(6);
                var length = (int)size + (i < longer ? 1 : 0);
                var slice = items.GetRange(begin, length);
                begin += length;
                if (i >= longer && bound[1] is not (null or NoneValue))
                    slice.Add(bound[1]!);
                yield return new ListValue(slice);
            }
        }
    }

    private static Value Sum(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("sum", 0, "attribute", "start");
        var path = new AttributePath(bound[0], state);
        var total = bound[1] ?? IntValue.Zero;
        if (total is StringValue)
            throw new TemplateFailure("sum() can't sum strings [use ''.join(seq) instead]");
        foreach (var item in state.Iterate(value))
            total = Arithmetic.Add(total, path.Read(item, state), state);
        return total;
    }
}
