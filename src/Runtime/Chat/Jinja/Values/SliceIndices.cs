namespace Weft.Chat.Jinja;

/// <summary>The indices that a slice takes.</summary>
internal readonly record struct SliceIndices(int Start, int Step, int Count)
{
    /// <summary>The index at a place of the slice.</summary>
    public int this[int place] => (int)(Start + ((long)place * Step));

    /// <summary>Fits a slice to a sequence, as Python does: parts beyond the ends mean the ends.</summary>
    public static SliceIndices Create(Value? start, Value? stop, Value? step, int length)
    {
        var by = (int)Int128.Clamp(Part(step) ?? 1, -int.MaxValue, int.MaxValue);
        if (by == 0)
            throw new TemplateFailure("slice step cannot be zero");
        var (lowest, highest) = by > 0 ? (0, length) : (-1, length - 1);
        var from = Fit(Part(start), by > 0 ? lowest : highest);
        var to = Fit(Part(stop), by > 0 ? highest : lowest);
        var count = by > 0 ? ((long)to - from + by - 1) / by : ((long)from - to - by - 1) / -by;
        return new(from, by, (int)Math.Max(count, 0));

        int Fit(Int128? part, int absent) => part is not { } value ? absent
            : (int)Int128.Clamp(value < 0 ? value + length : value, lowest, highest);
    }

    /// <summary>The indices in order.</summary>
    public IEnumerable<int> All()
    {
        for (var i = 0; i < Count; i++)
            yield return this[i];
    }

    private static Int128? Part(Value? value)
    {
        if (value is null or NoneValue)
            return null;
        return Arithmetic.TryNumber(value, out var number) ? number
            : throw new TemplateFailure("slice indices must be integers or None or have an __index__ method");
    }
}
