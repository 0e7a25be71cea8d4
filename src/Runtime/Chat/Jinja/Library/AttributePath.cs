namespace Weft.Chat.Jinja;

/// <summary>Reads what filters take as an attribute: names and indices with dots between.</summary>
internal sealed class AttributePath
{
    private readonly Value[] parts;

    /// <summary>Takes an attribute apart; null and None read the value itself.</summary>
    public AttributePath(Value? attribute) => parts = attribute switch
    {
        null or NoneValue => [],
        StringValue text => [.. text.Text.Split('.').Select(Part)],
        _ => [attribute],
    };

    /// <summary>Takes an attribute apart that may name several, with commas between.</summary>
    public static AttributePath[] Several(Value? attribute) => attribute is StringValue text
        ? [.. text.Text.Split(',').Select(path => new AttributePath(new StringValue(path)))]
        : [new AttributePath(attribute)];

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
        state.Budget.Elements(text.Text.Length / 4);
        return text.With(CaseText.Lower(text.Text));
    }

    private static Value Part(string part) => part.Length > 0 && part.All(char.IsAsciiDigit) && Int128.TryParse(part, out var index)
        ? new IntValue(index)
        : new StringValue(part);
}
