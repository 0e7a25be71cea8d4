namespace Weft.Chat.Jinja;

/// <summary>
/// The filters map, select and reject. Like Python's generators they look at their input and arguments only when their first value is
/// asked for, and never when the input is empty.
/// </summary>
internal static class SelectFilters
{
    /// <summary>The filters by name.</summary>
    public static IReadOnlyDictionary<string, Filter> All { get; } = new Dictionary<string, Filter>
    {
        ["map"] = (value, arguments, state) => new IteratorValue("generator", Map(value, arguments, state)),
        ["reject"] = (value, arguments, state) => Select(value, arguments, state, byAttribute: false, wanted: false),
        ["rejectattr"] = (value, arguments, state) => Select(value, arguments, state, byAttribute: true, wanted: false),
        ["select"] = (value, arguments, state) => Select(value, arguments, state, byAttribute: false, wanted: true),
        ["selectattr"] = (value, arguments, state) => Select(value, arguments, state, byAttribute: true, wanted: true),
    };

    private static IEnumerable<Value> Map(Value value, Arguments arguments, RenderState state)
    {
        if (!value.IsTrue)
            yield break;
        var change = Change(arguments, state);
        foreach (var item in state.Iterate(value))
        {
            state.Budget.Step();
            yield return change(item);
        }
    }

    private static Func<Value, Value> Change(Arguments arguments, RenderState state)
    {
        if (arguments.Positional.Count == 0 && arguments.Named.Any(argument => argument.Key == "attribute"))
        {
            if (arguments.Named.FirstOrDefault(argument => argument.Key is not ("attribute" or "default")) is { Key: { } unknown })
                throw new TemplateFailure($"Unexpected keyword argument '{unknown}'");
            var bound = arguments.Bind("map", 0, "attribute", "default");
            var path = new AttributePath(bound[0], state);
            return item => path.Read(item, state, bound[1]);
        }

        if (arguments.Positional.Count == 0)
            throw new TemplateFailure("map requires a filter argument");
        var name = Conversion.RequireText(arguments.Positional[0], "map()");
        var rest = arguments.Skip(1);
        return item => Filters.Call(name, item, rest, state);
    }

    private static IteratorValue Select(Value value, Arguments arguments, RenderState state, bool byAttribute, bool wanted) =>
        new("generator", Selected(value, arguments, state, byAttribute, wanted));

    private static IEnumerable<Value> Selected(Value value, Arguments arguments, RenderState state, bool byAttribute, bool wanted)
    {
        if (!value.IsTrue)
            yield break;
        if (byAttribute && arguments.Positional.Count == 0)
            throw new TemplateFailure("Missing parameter for attribute name");
        var path = new AttributePath(byAttribute ? arguments.Positional[0] : null, state);
        var test = arguments.Positional.Skip(byAttribute ? 1 : 0).FirstOrDefault();
        var rest = arguments.Skip(byAttribute ? 2 : 1);
        foreach (var item in state.Iterate(value))
        {
            state.Budget.Step();
            var tested = path.Read(item, state);
            var holds = test is null ? tested.IsTrue : ValueTests.Call(Conversion.RequireText(test, "select()"), tested, rest, state);
            if (holds == wanted)
                yield return item;
        }
    }
}
