using System.Collections.Frozen;

namespace Weft.Chat.Jinja;

/// <summary>The methods of lists, tuples and dicts. Those that would change them are refused, as the immutable sandbox does.</summary>
internal static class ContainerMethods
{
    private static readonly FrozenSet<string> ListMutators =
        FrozenSet.Create("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");

    private static readonly FrozenSet<string> DictMutators = FrozenSet.Create("clear", "pop", "popitem", "setdefault", "update");

    /// <summary>The method of that name of a sequence, or null.</summary>
    public static Value? Find(SequenceValue self, string name) => name switch
    {
        "index" => new FunctionValue(name, (arguments, state) => Index(self, arguments, state)),
        "count" => new FunctionValue(name, (arguments, state) =>
        {
            var item = arguments.Bind(name, 1, "value")[0]!;
            return new IntValue(self.Items.Count(other => Comparison.AreEqual(other, item, state.Budget)));
        }),
        "copy" when self is ListValue => new FunctionValue(name, (arguments, _) => Copy(self, name, arguments)),
        _ => self is ListValue && ListMutators.Contains(name) ? UndefinedValue.Unsafe(self, name) : null,
    };

    /// <summary>The method of that name of a dict, or null.</summary>
    public static Value? Find(DictValue self, string name) => name switch
    {
        "get" => new FunctionValue(name, (arguments, _) =>
        {
            var bound = arguments.Bind(name, 1, "key", "default");
            return self.Find(bound[0]!) ?? bound[1] ?? NoneValue.Instance;
        }),
        "keys" or "values" or "items" => new FunctionValue(name, (arguments, _) =>
        {
            arguments.Bind(name, 0);
            return new DictViewValue(self, name);
        }),
        "copy" => new FunctionValue(name, (arguments, _) => Copy(self, name, arguments)),
        _ => DictMutators.Contains(name) ? UndefinedValue.Unsafe(self, name) : null,
    };

    // Nothing can change a list or dict, so it is its own copy.
    private static Value Copy(Value self, string name, Arguments arguments)
    {
        arguments.Bind(name, 0);
        return self;
    }

    private static IntValue Index(SequenceValue self, Arguments arguments, RenderState state)
    {
        var bound = arguments.Bind("index", 1, "value", "start", "stop");
        var range = SliceIndices.Create(bound[1], bound[2], null, self.Items.Count);
        foreach (var i in range.All())
        {
            if (Comparison.AreEqual(self.Items[i], bound[0]!, state.Budget))
                return new(i);
        }

        if (self is TupleValue)
            throw new TemplateFailure("tuple.index(x): x not in tuple");
        var output = new TextBuilder(state.Budget);
        bound[0]!.Represent(output);
        throw new TemplateFailure($"{output} is not in list");
    }
}
