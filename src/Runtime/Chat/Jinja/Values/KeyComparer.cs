namespace Weft.Chat.Jinja;

/// <summary>Equality and hashes of dictionary keys: 1, 1.0 and True are one key; lists and dicts are none.</summary>
internal sealed class KeyComparer(Budget budget) : IEqualityComparer<Value>
{
    /// <summary>Whether the value can be a key.</summary>
    public bool IsHashable(Value value)
    {
        budget.Step();
        return value is TupleValue tuple ? tuple.Items.All(IsHashable) : value is not (ListValue or DictValue);
    }

    /// <inheritdoc/>
    public bool Equals(Value? x, Value? y) => Comparison.AreEqual(x!, y!, budget);

    /// <inheritdoc/>
    public int GetHashCode(Value obj)
    {
        budget.Step();
        switch (obj)
        {
            case StringValue text:
                budget.Scan(text.Text.Length);
                return text.Text.GetHashCode(StringComparison.Ordinal);
            case TupleValue tuple:
                var hash = new HashCode();
                foreach (var item in tuple.Items)
                    hash.Add(GetHashCode(item));
                return hash.ToHashCode();
            case FloatValue number:
                return Arithmetic.TryInteger(number.Number, out var whole) ? HashCode.Combine(whole) : number.Number.GetHashCode();
            case UndefinedValue:
                return 0;
            case ListValue or DictValue:
                throw new TemplateFailure($"unhashable type: '{obj.TypeName}'");
            default:
                return Arithmetic.TryNumber(obj, out var integer) ? HashCode.Combine(integer)
                    : System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(obj);
        }
    }
}
