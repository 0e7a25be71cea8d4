namespace Weft.Chat.Jinja;

/// <summary>
/// What filters such as map and select give: values that are made when they are asked for, and only once. It is true whether it has
/// values or not, and has no length, as in Python.
/// </summary>
/// <param name="typeName">Python's type.</param>
/// <param name="values">Makes the values. The enumerator is never disposed: it holds nothing, and stays where it stopped.</param>
internal sealed class IteratorValue(string typeName, IEnumerable<Value> values) : Value
{
    private readonly IEnumerator<Value> rest = values.GetEnumerator();

    /// <inheritdoc/>
    public override string TypeName => typeName;

    /// <inheritdoc/>
    public override bool IsTrue => true;

    /// <inheritdoc/>
    public override IEnumerable<Value> Elements(RenderState state)
    {
        while (rest.MoveNext())
            yield return rest.Current;
    }

    /// <inheritdoc/>
    public override void Represent(TextBuilder output) => output.Append($"<{typeName} object>");
}
