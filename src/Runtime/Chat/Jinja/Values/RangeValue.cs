using System.Globalization;

namespace Weft.Chat.Jinja;

/// <summary>What range() gives.</summary>
internal sealed class RangeValue(long start, long stop, long step, int length) : Value
{
    /// <inheritdoc/>
    public override string TypeName => "range";

    /// <inheritdoc/>
    public override int? Length => length;

    /// <inheritdoc/>
    public override bool HasItems => true;

    /// <summary>The number at an index.</summary>
    public IntValue At(int index) => new(start + ((Int128)index * step));

    /// <inheritdoc/>
    public override Value? Item(Value key, RenderState state) => Access.TryIndex(key, length, out var index) ? At(index) : null;

    /// <inheritdoc/>
    public override IEnumerable<Value> Elements(RenderState state) => Enumerable.Range(0, length).Select(At);

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append(step == 1
        ? string.Create(CultureInfo.InvariantCulture, $"range({start}, {stop})")
        : string.Create(CultureInfo.InvariantCulture, $"range({start}, {stop}, {step})"));
}
