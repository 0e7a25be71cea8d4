namespace Weft.Chat.Jinja;

/// <summary>Python's comparisons.</summary>
internal static class Comparison
{
    /// <summary><c>left == right</c></summary>
    public static bool AreEqual(Value left, Value right, Budget budget)
    {
        budget.Step();
        if (Arithmetic.TryNumber(left, out var a) && Arithmetic.TryNumber(right, out var b))
            return a == b;
        if (Arithmetic.TryFloat(left, out var x) && Arithmetic.TryFloat(right, out var y))
            return AreEqual(left, x, right, y);
        switch (left, right)
        {
            case (StringValue one, StringValue other):
                budget.Scan(Math.Min(one.Text.Length, other.Text.Length));
                return one.Text == other.Text;
            case (SequenceValue one, SequenceValue other):
                return one.Items.Count == other.Items.Count && one is ListValue == other is ListValue
                    && one.Items.Zip(other.Items).All(pair => AreEqual(pair.First, pair.Second, budget));
            case (DictValue one, DictValue other):
                return one.Entries.Count == other.Entries.Count
                    && one.Entries.All(entry => other.Find(entry.Key) is { } value && AreEqual(entry.Value, value, budget));
            case (RangeValue one, RangeValue other):
                budget.Elements(one.Length!.Value);
                return one.Length == other.Length && Enumerable.Range(0, one.Length.Value).All(i => one.At(i).Number == other.At(i).Number);
            case (UndefinedValue, UndefinedValue):
                return true;
            default:
                return ReferenceEquals(left, right);
        }
    }

    /// <summary><c>left &lt; right</c> and the like: negative, 0 or positive; null where neither holds, as for NaN.</summary>
    /// <param name="left">The one.</param>
    /// <param name="right">The other.</param>
    /// <param name="name">The operator, for messages.</param>
    /// <param name="budget">Pays for the comparison.</param>
    public static int? Order(Value left, Value right, string name, Budget budget)
    {
        budget.Step();
        if ((left as UndefinedValue ?? right as UndefinedValue) is { } undefined)
            throw undefined.Failure(budget);
        if (Arithmetic.TryNumber(left, out var a) && Arithmetic.TryNumber(right, out var b))
            return a.CompareTo(b);
        if (Arithmetic.TryFloat(left, out var x) && Arithmetic.TryFloat(right, out var y))
            return AreEqual(left, x, right, y) ? 0 : x < y ? -1 : x > y ? 1 : null;
        switch (left, right)
        {
            case (StringValue one, StringValue other):
                budget.Scan(Math.Min(one.Text.Length, other.Text.Length));
                return CodePoints.Compare(one.Text, other.Text);
            case (SequenceValue one, SequenceValue other) when one is ListValue == other is ListValue:
                foreach (var (first, second) in one.Items.Zip(other.Items))
                {
                    if (!AreEqual(first, second, budget))
                        return Order(first, second, name, budget);
                }

                return one.Items.Count.CompareTo(other.Items.Count);
            default:
                throw new TemplateFailure($"'{name}' not supported between instances of '{left.TypeName}' and '{right.TypeName}'");
        }
    }

    /// <summary><c>left &lt; right</c></summary>
    public static bool IsLess(Value left, Value right, Budget budget) => Order(left, right, "<", budget) < 0;

    /// <summary><c>item in container</c></summary>
    public static bool Contains(Value container, Value item, RenderState state)
    {
        switch (container)
        {
            case StringValue text:
                if (item is not StringValue part)
                    throw new TemplateFailure($"'in <string>' requires string as left operand, not {item.TypeName}");
                state.Budget.Search(text.Text.Length, part.Text.Length);
                return text.Text.Contains(part.Text, StringComparison.Ordinal);
            case DictValue dict:
                return dict.Find(item) is not null;
            default:
                if (container.Elements(state) is null)
                    throw new TemplateFailure($"argument of type '{container.TypeName}' is not iterable");
                return state.Iterate(container).Any(other => ReferenceEquals(item, other) || AreEqual(item, other, state.Budget));
        }
    }

    // 2**53 + 1 is not 2.0**53, although its nearest float is.
    private static bool AreEqual(Value left, double x, Value right, double y) =>
        x == y && (!Arithmetic.TryNumber(left, out var a) || !Arithmetic.TryInteger(y, out var b) || a == b)
            && (!Arithmetic.TryNumber(right, out a) || !Arithmetic.TryInteger(x, out b) || a == b);
}
