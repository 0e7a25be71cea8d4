namespace Weft.Chat.Jinja;

/// <summary>Formats with braces, as str.format does; fields reach attributes and items only as the sandbox allows.</summary>
internal sealed class BraceFormat
{
    private readonly Arguments arguments;
    private readonly RenderState state;
    private int automatic;
    private bool isManual;

    private BraceFormat(Arguments arguments, RenderState state)
    {
        this.arguments = arguments;
        this.state = state;
    }

    /// <summary>The format with its fields replaced.</summary>
    public static string Apply(string format, Arguments arguments, RenderState state) => new BraceFormat(arguments, state).Run(format, 0);

    private string Run(string format, int depth)
    {
        if (depth > 1)
            throw new TemplateFailure("Max string recursion exceeded");
        var output = new TextBuilder(state.Budget);
        for (var at = 0; at < format.Length; at++)
        {
            var c = format[at];
            if (c is not ('{' or '}'))
                output.Append(c);
            else if (at + 1 < format.Length && format[at + 1] == c)
                output.Append(format[at++]);
            else if (c == '}' || at + 1 == format.Length)
                throw new TemplateFailure($"Single '{c}' encountered in format string");
            else
                at = WriteField(format, at + 1, depth, output);
        }

        return output.ToString();
    }

    // Writes the field that begins at an offset and gives the offset of its closing brace.
    private int WriteField(string format, int begin, int depth, TextBuilder output)
    {
        state.Budget.Step();
        var end = begin;
        var inBrackets = false;
        while (end < format.Length && (inBrackets || format[end] is not (':' or '!' or '}' or '{')))
        {
            inBrackets = format[end] == '[' || (inBrackets && format[end] != ']');
            end++;
        }

        var value = Field(format[begin..end]);
        if (end + 1 < format.Length && format[end] == '!')
        {
            value = Converted(value, format[end + 1]);
            end += 2;
        }

        var specification = "";
        if (end < format.Length && format[end] == ':')
        {
            var start = ++end;
            for (var open = 1; end < format.Length; end++)
            {
                open += format[end] switch { '{' => 1, '}' => -1, _ => 0 };
                if (open == 0)
                    break;
            }

            specification = Run(format[start..end], depth + 1);
        }

        if (end >= format.Length || format[end] != '}')
            throw new TemplateFailure("expected '}' before end of string");
        FormatSpec.Write(value, specification, state, output);
        return end;
    }

    private Value Field(string field)
    {
        var end = field.AsSpan().IndexOfAny('.', '[');
        end = end < 0 ? field.Length : end;
        var value = First(field[..end]);
        while (end < field.Length)
        {
            state.Budget.Step();
            var isItem = field[end] == '[';
            var begin = end + 1;
            end = isItem ? field.IndexOf(']', begin) : field.AsSpan(begin).IndexOfAny('.', '[') is var next and >= 0 ? begin + next : field.Length;
            if (end < 0)
                throw new TemplateFailure("Missing ']' in format string");
            var name = field[begin..end];
            if (name.Length == 0)
                throw new TemplateFailure("Empty attribute in format string");
            value = isItem ? Access.Item(value, Key(name), state) : Access.Attribute(value, name, state);
            end += isItem ? 1 : 0;
        }

        return value;
    }

    private Value First(string name)
    {
        var isNumber = name.Length > 0 && name.All(char.IsAsciiDigit);
        if (name.Length > 0 && !isNumber)
        {
            var named = arguments.Named.FirstOrDefault(argument => argument.Key == name);
            return named.Value ?? throw new TemplateFailure($"'{name}'");
        }

        if (isNumber ? automatic > 0 : isManual)
        {
            throw new TemplateFailure(isNumber ? "cannot switch from automatic field numbering to manual field specification"
                : "cannot switch from manual field specification to automatic field numbering");
        }

        isManual |= isNumber;
        var index = !isNumber ? automatic++ : int.TryParse(name, out var number) ? number : int.MaxValue;
        return index < arguments.Positional.Count ? arguments.Positional[index]
            : throw new TemplateFailure("tuple index out of range");
    }

    private static Value Key(string name) => name.All(char.IsAsciiDigit) && int.TryParse(name, out var index) ? new IntValue(index) : new StringValue(name);

    private StringValue Converted(Value value, char conversion)
    {
        if (conversion == 's')
            return Conversion.ToText(value, state);
        if (conversion != 'r')
            throw new TemplateFailure($"Unknown conversion specifier {conversion}");
        var output = new TextBuilder(state.Budget);
        value.Represent(output);
        return new(output.ToString());
    }
}
