namespace Weft.Chat.Jinja;

/// <summary>A str: Python counts and cuts it by code points, of which those beyond U+FFFF are two characters here.</summary>
/// <param name="text">The text.</param>
/// <param name="isMarkup">Whether it is HTML already, so that what is added to it is escaped.</param>
internal sealed class StringValue(string text, bool isMarkup = false) : Value
{
    /// <summary>The empty text.</summary>
    public static readonly StringValue Empty = new("");

    private static readonly StringValue[] AsciiCharacters = [.. Enumerable.Range(0, 128).Select(c => new StringValue(((char)c).ToString()))];

    private int codePoints = -1;

    /// <summary>The text.</summary>
    public string Text => text;

    /// <summary>Whether it is HTML already.</summary>
    public bool IsMarkup => isMarkup;

    /// <summary>Whether each character is a code point, so that indices need no counting.</summary>
    public bool IsPlain => CodePointCount == text.Length;

    /// <inheritdoc/>
    public override string TypeName => isMarkup ? "Markup" : "str";

    /// <inheritdoc/>
    public override bool IsTrue => text.Length > 0;

    /// <inheritdoc/>
    public override int? Length => CodePointCount;

    /// <inheritdoc/>
    public override bool HasItems => true;

    private int CodePointCount => codePoints >= 0 ? codePoints : codePoints = CodePoints.Count(text);

    /// <summary>Another text of the same kind.</summary>
    public StringValue With(string other) => ReferenceEquals(other, text) ? this : new(other, isMarkup);

    /// <inheritdoc/>
    public override Value? Attribute(string name) => StringMethods.Find(this, name);

    /// <inheritdoc/>
    public override Value? Item(Value key, RenderState state)
    {
        state.Budget.Elements(IsPlain ? 0 : text.Length / 16);
        return Access.TryIndex(key, CodePointCount, out var index)
            ? With(text[CodePoints.ToOffset(this, index)..CodePoints.ToOffset(this, index + 1)])
            : null;
    }

    /// <inheritdoc/>
    public override IEnumerable<Value> Elements(RenderState state)
    {
        for (var at = 0; at < text.Length;)
        {
            var length = CodePoints.LengthAt(text, at);
            yield return char.IsAscii(text[at]) ? AsciiCharacters[text[at]] : new StringValue(text.Substring(at, length));
            at += length;
        }
    }

    /// <inheritdoc/>
    public override void Represent(TextBuilder output)
    {
        if (isMarkup)
            output.Append("Markup(");
        PythonText.Quote(text, output);
        if (isMarkup)
            output.Append(')');
    }

    /// <inheritdoc/>
    public override void Print(TextBuilder output) => output.Append(text);
}
