namespace Weft.Chat.Jinja;

/// <summary>Filters that count, arrange and cut what can be iterated.</summary>
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
        ["dictsort"] = DictSort,
        ["first"] = First,
        ["groupby"] = GroupBy,
        ["items"] = Items,
        ["join"] = Join,
        ["last"] = Last,
        ["length"] = Count,
        ["list"] = (value, arguments, state) => new ListValue(ToList(value, arguments.Bind("list", 0).Length, state)),
        ["max"] = (value, arguments, state) => Extreme("max", 1, value, arguments, state),
        ["min"] = (value, arguments, state) => Extreme("min", -1, value, arguments, state),
        ["reverse"] = Reverse,
        ["slice"] = Slice,
        ["sort"] = Sort,
        ["sum"] = Sum,
        ["unique"] = Unique,
    };

    private static List<Value> ToList(Value value, int _, RenderState state) => [.. state.Iterate(value)];

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

    private static ListValue DictSort(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("dictsort", 0, "case_sensitive", "by", "reverse");
        var by = bound[1] is null ? "key" : Conversion.RequireText(bound[1]!, "dictsort()");
        if (by is not ("key" or "value"))
            throw new TemplateFailure("You can only sort by either \"key\" or \"value\"");
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        if (value is not DictValue dict)
            throw new TemplateFailure($"'{value.TypeName}' object has no attribute 'items'");
        var entries = dict.Entries.Select(entry => (Value)new TupleValue([entry.Key, entry.Value]));
        return new(Sorting.By(entries, entry =>
            AttributePath.Fold(((TupleValue)entry).Items[by == "key" ? 0 : 1], bound[0]?.IsTrue ?? false, state), bound[2]?.IsTrue ?? false, state));
    }

    private static Value First(Value value, Arguments arguments, RenderState state)
    {
        arguments.Bind("first", 0);
        return state.Iterate(value).FirstOrDefault() ?? UndefinedValue.Because("No first item, sequence was empty.");
    }

    private static ListValue GroupBy(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("groupby", 1, "attribute", "default", "case_sensitive");
        var path = new AttributePath(bound[0]);
        var isCaseSensitive = bound[2]?.IsTrue ?? false;
        var groups = new List<Value>();
        var members = new List<Value>();
        Value? last = null;
        foreach (var item in Sorting.By(state.Iterate(value), Key, isReversed: false, state))
        {
            var key = Key(item);
            if (last is not null && !Comparison.AreEqual(last, key, state.Budget))
                Close();
            last = key;
            members.Add(item);
        }

        if (last is not null)
            Close();
        return new(groups);

        Value Key(Value item) => path.Key(item, isCaseSensitive, state, bound[1]);

        // The group is named as its first member writes it.
        void Close()
        {
            groups.Add(new GroupValue(path.Read(members[0], state, bound[1]), new(members)));
            members = [];
        }
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
        var path = new AttributePath(bound[1]);
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
            : new IteratorValue($"{value.TypeName}_reverseiterator", Reversed(value, state));
    }

    private static IteratorValue Slice(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("slice", 1, "slices", "fill_with");
        return new("generator", Slices());

        IEnumerable<Value> Slices()
        {
            var items = ToList(value, 0, state);
            var count = Conversion.ToIndex(bound[0]!);
            if (count == 0)
                throw new TemplateFailure("integer division or modulo by zero");
            var (size, longer) = (items.Count / count, items.Count % count);
            for (var (i, begin) = (0L, 0); i < count; i++)
            {
                state.Budget.Step();
                var length = (int)size + (i < longer ? 1 : 0);
                var slice = items.GetRange(begin, length);
                begin += length;
                if (i >= longer && bound[1] is not (null or NoneValue))
                    slice.Add(bound[1]!);
                yield return new ListValue(slice);
            }
        }
    }

    private static ListValue Sort(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("sort", 0, "reverse", "case_sensitive", "attribute");
        var paths = AttributePath.Several(bound[2]);
        var isCaseSensitive = bound[1]?.IsTrue ?? false;
        return new(Sorting.By(state.Iterate(value), item =>
            new ListValue([.. paths.Select(path => path.Key(item, isCaseSensitive, state))]), bound[0]?.IsTrue ?? false, state));
    }

    private static Value Extreme(string name, int sign, Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind(name, 0, "case_sensitive", "attribute");
        var path = new AttributePath(bound[1]);
        Value? best = null;
        Value? bestKey = null;
        foreach (var item in state.Iterate(value))
        {
            var key = path.Key(item, bound[0]?.IsTrue ?? false, state);
            if (bestKey is null || Comparison.Order(key, bestKey, sign > 0 ? ">" : "<", state.Budget) * sign > 0)
                (best, bestKey) = (item, key);
        }

        return best ?? UndefinedValue.Because("No aggregated item, sequence was empty.");
    }

    private static Value Sum(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("sum", 0, "attribute", "start");
        var path = new AttributePath(bound[0]);
        var total = bound[1] ?? IntValue.Zero;
        if (total is StringValue)
            throw new TemplateFailure("sum() can't sum strings [use ''.join(seq) instead]");
        foreach (var item in state.Iterate(value))
            total = Arithmetic.Add(total, path.Read(item, state), state);
        return total;
    }

    private static IteratorValue Unique(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("unique", 0, "case_sensitive", "attribute");
        return new("generator", Distinct());

        IEnumerable<Value> Distinct()
        {
            var path = new AttributePath(bound[1]);
            var seen = new HashSet<Value>(state.Keys);
            foreach (var item in state.Iterate(value))
            {
                if (seen.Add(path.Key(item, bound[0]?.IsTrue ?? false, state)))
                    yield return item;
            }
        }
    }
}
