using System.Globalization;

namespace Weft.Chat.Jinja;

/// <summary>json.dumps, as the filter tojson of chat templates calls it.</summary>
internal sealed class JsonText
{
    private readonly TextBuilder output;
    private readonly RenderState state;

    /// <summary>Begins a text.</summary>
    public JsonText(RenderState state)
    {
        this.state = state;
        output = new(state.Budget);
    }

    /// <summary>Whether characters beyond ASCII are escaped.</summary>
    public bool AsciiOnly { get; init; }

    /// <summary>What each level is indented by; null writes everything in one line.</summary>
    public string? Indent { get; init; }

    /// <summary>What stands between items.</summary>
    public required string ItemSeparator { get; init; }

    /// <summary>What stands between a key and its value.</summary>
    public required string KeySeparator { get; init; }

    /// <summary>Whether keys are sorted.</summary>
    public bool SortKeys { get; init; }

    /// <summary>The value as JSON.</summary>
    public string Write(Value value)
    {
        Write(value, 0);
        return output.ToString();
    }

    private void Write(Value value, int level)
    {
        state.Budget.Step();
        switch (value)
        {
            case StringValue text:
                WriteText(text.Text);
                break;
            case NoneValue or BoolValue or IntValue or FloatValue:
                output.Append(Scalar(value));
                break;
            case SequenceValue sequence:
                WriteAll('[', ']', sequence.Items, level, item => Write(item, level + 1));
                break;
            case DictValue dict:
                WriteAll('{', '}', Entries(dict), level, entry =>
                {
                    WriteText(entry.Key is StringValue key ? key.Text : Key(entry.Key));
                    output.Append(KeySeparator);
                    Write(entry.Value, level + 1);
                });
                break;
            default:
                throw new TemplateFailure($"Object of type {value.TypeName} is not JSON serializable");
        }
    }

    private void WriteAll<T>(char open, char close, IReadOnlyList<T> items, int level, Action<T> write)
    {
        output.Append(open);
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0)
                output.Append(ItemSeparator);
            BreakLine(level + 1);
            write(items[i]);
        }

        if (items.Count > 0)
            BreakLine(level);
        output.Append(close);
    }

    private void BreakLine(int level)
    {
        if (Indent is null)
            return;
        output.Append('\n');
        for (var i = 0; i < level; i++)
            output.Append(Indent);
    }

    private IReadOnlyList<KeyValuePair<Value, Value>> Entries(DictValue dict) => SortKeys
        ? StableSort.Sort(dict.Entries, (one, other) => Comparison.IsLess(one.Key, other.Key, state.Budget), state.Budget)
        : dict.Entries;

    private static string Key(Value key) => key is NoneValue or BoolValue or IntValue or FloatValue ? Scalar(key)
        : throw new TemplateFailure($"keys must be str, int, float, bool or None, not {key.TypeName}");

    private static string Scalar(Value value) => value switch
    {
        NoneValue => "null",
        BoolValue => value.IsTrue ? "true" : "false",
        IntValue number => number.Number.ToString(CultureInfo.InvariantCulture),
        FloatValue { Number: double.NaN } => "NaN",
        FloatValue { Number: double.PositiveInfinity } => "Infinity",
        FloatValue { Number: double.NegativeInfinity } => "-Infinity",
        _ => FloatText.Shortest(((FloatValue)value).Number),
    };

    private void WriteText(string text)
    {
        output.Append('"');
        var done = 0;
        for (var at = 0; at < text.Length; at++)
        {
            var c = text[at];
            var known = "\"\\\n\r\t\f\b".IndexOf(c, StringComparison.Ordinal);
            if (known < 0 && c >= ' ' && (c <= '~' || !AsciiOnly))
                continue;
            output.Append(text.AsSpan(done, at - done));
            if (known >= 0)
                output.Append('\\').Append("\"\\nrtfb"[known]);
            else
                output.AppendEscape('u', c, 4);
            done = at + 1;
        }

        output.Append(text.AsSpan(done)).Append('"');
    }
}
