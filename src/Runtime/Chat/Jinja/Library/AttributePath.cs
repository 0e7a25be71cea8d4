namespace Weft.Chat.Jinja;

/// <summary>Reads what filters take as an attribute: names and indices with dots between.</summary>
internal sealed class AttributePath
{
    private readonly Value[] parts;

    /// <summary>Takes an attribute apart; null and None read the value itself.</summary>
    public AttributePath(Value? attribute, RenderState state) => parts = attribute switch
    {
        null or NoneValue => [],
        StringValue text => [.. Split(text.Text, '.', state).Select(Part)],
        _ => [attribute],
    };

    /// <summary>Takes an attribute apart that may name several, with commas between.</summary>
    public static AttributePath[] Several(Value? attribute, RenderState state) => attribute is StringValue text
        ? [.. Split(text.Text, ',', state).Select(path => new AttributePath(new StringValue(path), state))]
        : [new AttributePath(attribute, state)];

    /// <summary>The attribute of a value.</summary>
    /// <param name="value">The value.</param>
    /// <param name="state">The rendering.</param>
    /// <param name="otherwise">What stands for an undefined one; null and None for nothing.</param>
    public Value Read(Value value, RenderState state, Value? otherwise = null)
    {
        foreach (var part in parts)
        {
            state.Budget.Step();
            value = Access.Item(value, part, state);
            if (value is UndefinedValue && otherwise is not (null or NoneValue))
                value = otherwise;
        }

        return value;
    }

    /// <summary>The attribute as it is compared: text without its case, unless case counts.</summary>
    public Value Key(Value value, bool isCaseSensitive, RenderState state, Value? otherwise = null) =>
        Fold(Read(value, state, otherwise), isCaseSensitive, state);

    /// <summary>A value as it is compared.</summary>
    public static Value Fold(Value value, bool isCaseSensitive, RenderState state)
    {
        if (isCaseSensitive || value is not StringValue text)
            return value;
        state.Budget.Characters(text.Text.Length);
        return text.With(CaseText.Lower(text.Text));
    }

    private static string[] Split(string text, char separator, RenderState state)
    {
        state.Budget.Text(text.Length);
        state.Budget.Elements(4L * text.AsSpan().Count(separator));
        return text.Split(separator);
    }

    private static Value Part(string part) => part.Length > 0 && part.All(char.IsAsciiDigit) && Int128.TryParse(part, out var index)
        ? new IntValue(index)
        : new StringValue(part);
}
