using System.Globalization;
using System.Text.Json;

namespace Weft.Chat.Jinja;

/// <summary>Turns JSON into the values that Python's json module would give.</summary>
internal static class JsonValues
{
    /// <summary>The value of an element.</summary>
    /// <exception cref="TemplateFailure">A text is not Unicode, a number has more than 128 bits, or it nests too deeply.</exception>
    public static Value Read(JsonElement element, RenderState state)
    {
        Budget.CheckStack();
        return element.ValueKind switch
        {
            JsonValueKind.Object => new DictValue(element.EnumerateObject().Select(member =>
                KeyValuePair.Create<Value, Value>(new StringValue(Text(() => member.Name)), Read(member.Value, state))), state),
            JsonValueKind.Array => new ListValue([.. element.EnumerateArray().Select(item => Read(item, state))]),
            JsonValueKind.String => Given(Text(() => element.GetString()!), state),
            JsonValueKind.Number => Number(element.GetRawText()),
            JsonValueKind.True => BoolValue.True,
            JsonValueKind.False => BoolValue.False,
            _ => NoneValue.Instance,
        };
    }

    private static StringValue Given(string text, RenderState state)
    {
        state.Budget.Grant(text.Length);
        return new(text);
    }

    private static string Text(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException)
        {
            throw new TemplateFailure("a text in the messages, tools or variables is not valid Unicode");
        }
    }

    private static Value Number(string text)
    {
        if (text.AsSpan().ContainsAny('.', 'e', 'E'))
            return new FloatValue(double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture));
        return Int128.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? new IntValue(number)
            : throw new TemplateFailure("a number in the messages, tools or variables has more than 128 bits");
    }
}
