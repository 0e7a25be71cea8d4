using System.Collections.Frozen;

namespace Weft.Chat.Jinja;

/// <summary>The functions that every template can call.</summary>
internal static class Globals
{
    private static readonly FrozenDictionary<string, Value> Functions = new Dictionary<string, Func<Arguments, RenderState, Value>>
    {
        ["raise_exception"] = (arguments, state) =>
            throw new TemplateFailure(Conversion.ToText(arguments.Bind("raise_exception", 1, "message")[0]!, state).Text) { IsRefusal = true },
        ["strftime_now"] = (arguments, state) =>
            new StringValue(TimeFormat.Apply(Conversion.RequireText(arguments.Bind("strftime_now", 1, "format")[0]!, "strftime()"), state.Now, state.Budget)),
        ["range"] = Range,
        ["dict"] = Dict,
        ["namespace"] = (arguments, state) => Namespace((DictValue)Dict(arguments, state)),
        ["cycler"] = (arguments, _) => arguments.Positional.Count > 0 ? new CyclerValue(arguments.Positional)
            : throw new TemplateFailure("at least one item has to be provided"),
        ["joiner"] = (arguments, _) => new JoinerValue(arguments.Bind("joiner", 0, "sep")[0] ?? new StringValue(", ")),
    }.ToFrozenDictionary(function => function.Key, Value (function) => new FunctionValue(function.Key, function.Value));

    /// <summary>The function of that name.</summary>
    public static bool TryGet(string name, out Value function) => Functions.TryGetValue(name, out function!);

    private static RangeValue Range(Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("range", 1, "start", "stop", "step");
        var parts = Array.ConvertAll(bound, part => part is null ? (long?)null : Bound(part));
        var (start, stop) = parts[1] is { } end ? (parts[0]!.Value, end) : (0, parts[0]!.Value);
        var step = parts[2] ?? 1;
        if (step == 0)
            throw new TemplateFailure("range() arg 3 must not be zero");
        var length = step > 0 ? ((Int128)stop - start + step - 1) / step : ((Int128)start - stop - step - 1) / -(Int128)step;
        if (length > state.Budget.Limits.RangeLength)
            throw new TemplateFailure($"Range too big. The sandbox blocks ranges larger than MAX_RANGE ({state.Budget.Limits.RangeLength}).");
        return new(start, stop, step, (int)Int128.Max(length, 0));
    }

    private static long Bound(Value value) => Conversion.ToIndex(value) is var bound and not (long.MinValue or long.MaxValue) ? bound
        : throw new TemplateFailure("the bounds of a range have more than 64 bits");

    private static DictValue Dict(Arguments arguments, RenderState state)
    {
        if (arguments.Positional.Count > 1)
            throw new TemplateFailure($"dict expected at most 1 argument, got {arguments.Positional.Count}");
        var entries = arguments.Positional.Count == 0 ? [] : Pairs(arguments.Positional[0], state);
        return new(entries.Concat(arguments.Named.Select(argument =>
            KeyValuePair.Create<Value, Value>(new StringValue(argument.Key), argument.Value))), state);
    }

    private static IEnumerable<KeyValuePair<Value, Value>> Pairs(Value value, RenderState state)
    {
        if (value is DictValue dict)
            return dict.Entries;
        return state.Iterate(value).Select((item, i) =>
        {
            if (item.Elements(state) is null)
                throw new TemplateFailure($"cannot convert dictionary update sequence element #{i} to a sequence");
            var pair = state.Iterate(item).Take(3).ToList();
            return pair.Count == 2 ? KeyValuePair.Create(pair[0], pair[1])
                : throw new TemplateFailure($"dictionary update sequence element #{i} has length {item.Length ?? pair.Count}; 2 is required");
        });
    }

    private static NamespaceValue Namespace(DictValue values) => values.Entries.All(entry => entry.Key is StringValue) ? new(values)
        : throw new TemplateFailure("the names of a namespace must be strings");
}
