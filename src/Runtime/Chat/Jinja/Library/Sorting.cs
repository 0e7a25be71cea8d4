namespace Weft.Chat.Jinja;

/// <summary>Sorting as sorted() does it with a key.</summary>
internal static class Sorting
{
    /// <summary>The values in the order of their keys; equal ones keep their order, also when it is reversed.</summary>
    public static Value[] By(IEnumerable<Value> values, Func<Value, Value> key, bool isReversed, RenderState state)
    {
        var pairs = values.Select(value =>
        {
            state.Budget.Step();
            return (Key: key(value), Value: value);
        }).ToList();
        var sorted = StableSort.Sort(pairs, (one, other) => isReversed
            ? Comparison.IsLess(other.Key, one.Key, state.Budget)
            : Comparison.IsLess(one.Key, other.Key, state.Budget), state.Budget);
        return Array.ConvertAll(sorted, pair => pair.Value);
    }
}
