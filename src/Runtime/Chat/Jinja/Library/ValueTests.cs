using System.Collections.Frozen;

namespace Weft.Chat.Jinja;

/// <summary>A test of a value, as it stands behind <c>is</c>.</summary>
internal delegate bool ValueTest(Value value, Arguments arguments, RenderState state);

/// <summary>The tests by name.</summary>
internal static class ValueTests
{
    private static readonly FrozenDictionary<string, ValueTest> All = Plain().Concat(Comparisons()).ToFrozenDictionary();

    /// <summary>Whether there is a test of that name.</summary>
    public static bool Exists(string name) => All.ContainsKey(name);

    /// <summary>Tests a value.</summary>
    public static bool Call(string name, Value value, Arguments arguments, RenderState state) =>
        All.TryGetValue(name, out var test) ? test(value, arguments, state) : throw new TemplateFailure($"No test named '{name}' found.");

    private static Dictionary<string, ValueTest> Plain() => new()
    {
        ["boolean"] = Of((value, _) => value is BoolValue),
        ["callable"] = Of((value, _) => value.IsCallable),
        ["defined"] = Of((value, _) => value is not UndefinedValue),
        ["divisibleby"] = With((value, divisor, state) => IsZero(Arithmetic.Modulo(value, divisor, state))),
        ["escaped"] = Of((value, _) => value is StringValue { IsMarkup: true }),
        ["even"] = Of((value, state) => IsZero(Arithmetic.Modulo(value, new IntValue(2), state))),
        ["false"] = Of((value, _) => ReferenceEquals(value, BoolValue.False)),
        ["filter"] = Of((value, _) => value is StringValue name && Filters.Exists(name.Text)),
        ["float"] = Of((value, _) => value is FloatValue),
        ["integer"] = Of((value, _) => value is IntValue),
        ["iterable"] = Of((value, state) => value.Elements(state) is not null),
        ["lower"] = Of((value, state) => IsCased(value, state, upper: false)),
        ["mapping"] = Of((value, _) => value is DictValue),
        ["none"] = Of((value, _) => value is NoneValue),
        ["number"] = Of((value, _) => Arithmetic.TryFloat(value, out double _)),
        ["odd"] = Of((value, state) => Arithmetic.TryNumber(Arithmetic.Modulo(value, new IntValue(2), state), out var rest) ? rest == 1
            : Arithmetic.TryFloat(Arithmetic.Modulo(value, new IntValue(2), state), out var real) && real == 1),
        ["sequence"] = Of((value, _) => value.HasItems && value.Length is not null),
        ["string"] = Of((value, _) => value is StringValue),
        ["test"] = Of((value, _) => value is StringValue name && Exists(name.Text)),
        ["true"] = Of((value, _) => ReferenceEquals(value, BoolValue.True)),
        ["undefined"] = Of((value, _) => value is UndefinedValue),
        ["upper"] = Of((value, state) => IsCased(value, state, upper: true)),
    };

    private static Dictionary<string, ValueTest> Comparisons()
    {
        var equal = With((value, other, state) => Comparison.AreEqual(value, other, state.Budget));
        var unequal = With((value, other, state) => !Comparison.AreEqual(value, other, state.Budget));
        var less = With((value, other, state) => Comparison.Order(value, other, "<", state.Budget) < 0);
        var lessOrEqual = With((value, other, state) => Comparison.Order(value, other, "<=", state.Budget) <= 0);
        var greater = With((value, other, state) => Comparison.Order(value, other, ">", state.Budget) > 0);
        var greaterOrEqual = With((value, other, state) => Comparison.Order(value, other, ">=", state.Budget) >= 0);
        return new()
        {
            ["=="] = equal, ["eq"] = equal, ["equalto"] = equal,
            ["!="] = unequal, ["ne"] = unequal,
            ["<"] = less, ["lt"] = less, ["lessthan"] = less,
            ["<="] = lessOrEqual, ["le"] = lessOrEqual,
            [">"] = greater, ["gt"] = greater, ["greaterthan"] = greater,
            [">="] = greaterOrEqual, ["ge"] = greaterOrEqual,
            ["in"] = With((value, container, state) => Comparison.Contains(container, value, state)),
            ["sameas"] = With((value, other, state) => IsSame(value, other, state)),
        };
    }

    private static ValueTest Of(Func<Value, RenderState, bool> test) => (value, arguments, state) =>
    {
        arguments.Bind("test", 0);
        return test(value, state);
    };

    private static ValueTest With(Func<Value, Value, RenderState, bool> test) =>
        (value, arguments, state) => test(value, arguments.Bind("test", 1, "other")[0]!, state);

    private static bool IsZero(Value value) => Arithmetic.TryFloat(value, out var number) && number == 0;

    private static bool IsCased(Value value, RenderState state, bool upper)
    {
        var text = Conversion.ToText(value, state).Text;
        state.Budget.Characters(text.Length);
        return CaseText.IsAll(text, upper);
    }

    // Equal numbers and texts are as good as one object: which of them Python shares is its own affair.
    private static bool IsSame(Value value, Value other, RenderState state) => ReferenceEquals(value, other) ||
        (value is IntValue or FloatValue or StringValue && value.GetType() == other.GetType() && Comparison.AreEqual(value, other, state.Budget));
}
