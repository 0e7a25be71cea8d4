namespace Weft.Chat.Jinja;

/// <summary>Filters that compare the values of what can be iterated. Case does not count in them unless they are asked to mind it.</summary>
internal static class SortFilters
{
    /// <summary>The filters by name.</summary>
    public static IReadOnlyDictionary<string, Filter> All { get; } = new Dictionary<string, Filter>
    {
        ["dictsort"] = DictSort,
        ["groupby"] = GroupBy,
        ["max"] = (value, arguments, state) => Extreme("max", 1, value, arguments, state),
        ["min"] = (value, arguments, state) => Extreme("min", -1, value, arguments, state),
        ["sort"] = Sort,
        ["unique"] = Unique,
    };

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

    private static ListValue GroupBy(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("groupby", 1, "attribute", "default", "case_sensitive");
        var path = new AttributePath(bound[0], state);
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

    private static ListValue Sort(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("sort", 0, "reverse", "case_sensitive", "attribute");
        var paths = AttributePath.Several(bound[2], state);
        var isCaseSensitive = bound[1]?.IsTrue ?? false;
        return new(Sorting.By(state.Iterate(value), item =>
            new ListValue([.. paths.Select(path => path.Key(item, isCaseSensitive, state))]), bound[0]?.IsTrue ?? false, state));
    }

    private static Value Extreme(string name, int sign, Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind(name, 0, "case_sensitive", "attribute");
        var path = new AttributePath(bound[1], state);
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

    private static IteratorValue Unique(Value value, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("unique", 0, "case_sensitive", "attribute");
        return new("generator", Distinct());

        IEnumerable<Value> Distinct()
        {
            var path = new AttributePath(bound[1], state);
            var seen = new HashSet<Value>(state.Keys);
            foreach (var item in state.Iterate(value))
            {
                if (seen.Add(path.Key(item, bound[0]?.IsTrue ?? false, state)))
                    yield return item;
            }
        }
    }
}
