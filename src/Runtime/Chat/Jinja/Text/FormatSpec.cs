using System.Globalization;
using System.Text;

namespace Weft.Chat.Jinja;

/// <summary>A format specification of str.format: <c>[[fill]align][sign][#][0][width][grouping][.precision][type]</c>.</summary>
internal readonly record struct FormatSpec
{
    private Rune Fill { get; init; }

    private char? Align { get; init; }

    private char? Sign { get; init; }

    private bool Alternate { get; init; }

    private int Width { get; init; }

    private char? Grouping { get; init; }

    private int? Precision { get; init; }

    private char? Type { get; init; }

    /// <summary>Writes a value as the specification says.</summary>
    public static void Write(Value value, string specification, RenderState state, TextBuilder output)
    {
        if (specification.Length == 0)
        {
            value.Print(output);
            return;
        }

        var spec = Parse(specification, value);
        if (spec.Grouping is { } separator && spec.Type is not (null or 'd' or 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%') &&
            !(separator == '_' && spec.Type is 'b' or 'o' or 'x' or 'X'))
        {
            throw new TemplateFailure($"Cannot specify '{separator}' with '{spec.Type}'.");
        }

        if (value is StringValue text)
            spec.WriteText(text, output);
        else if (value is FloatValue || (spec.Type is { } type && "eEfFgG%".Contains(type) && value is IntValue or BoolValue))
            spec.WriteFloat(value, state, output);
        else if (Arithmetic.TryNumber(value, out var number))
            spec.WriteInteger(number, output);
        else
            throw new TemplateFailure($"unsupported format string passed to {value.TypeName}.__format__");
    }

    private static FormatSpec Parse(string text, Value value)
    {
        var at = 0;
        var spec = new FormatSpec { Fill = new(' ') };
        var first = CodePoints.LengthAt(text, 0);
        var hasFill = first < text.Length && text[first] is '<' or '>' or '=' or '^';
        if (hasFill && Rune.TryGetRuneAt(text, 0, out var fill))
            (spec, at) = (spec with { Fill = fill, Align = text[first] }, first + 1);
        else if (text[0] is '<' or '>' or '=' or '^')
            (spec, at) = (spec with { Align = text[0] }, 1);
        if (at < text.Length && text[at] is '+' or '-' or ' ')
            spec = spec with { Sign = text[at++] };
        if (Skip('#'))
            spec = spec with { Alternate = true };
        if (!hasFill && Skip('0'))
            spec = spec with { Fill = new('0'), Align = spec.Align ?? (value is StringValue ? '<' : '=') };
        spec = spec with { Width = Digits() ?? 0 };
        if (at < text.Length && text[at] is ',' or '_')
            spec = spec with { Grouping = text[at++] };
        if (Skip('.'))
            spec = spec with { Precision = Digits() ?? throw new TemplateFailure("Format specifier missing precision") };
        if (at < text.Length)
            spec = spec with { Type = text[at++] };
        return at == text.Length ? spec : throw new TemplateFailure("Invalid format specifier");

        bool Skip(char c)
        {
            if (at >= text.Length || text[at] != c)
                return false;
            at++;
            return true;
        }

        int? Digits()
        {
            var begin = at;
            while (at < text.Length && char.IsAsciiDigit(text[at]))
                at++;
            if (at == begin)
                return null;
            return int.TryParse(text.AsSpan(begin, at - begin), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
                : throw new TemplateFailure("Too many decimal digits in format string");
        }
    }

    private void WriteText(StringValue value, TextBuilder output)
    {
        if (Type is not (null or 's') || Align == '=' || Grouping is not null || Sign is not null || Alternate)
            throw Unknown("str");
        var text = Precision < value.Length ? value.Text[..CodePoints.ToOffset(value, Precision.Value)] : value.Text;
        NumberFormat.Pad("", text, Width, Align ?? '<', Fill, output);
    }

    private void WriteInteger(Int128 number, TextBuilder output)
    {
        if (Precision is not null)
            throw new TemplateFailure("Precision not allowed in integer format specifier");
        if (Type == 'c')
        {
            NumberFormat.Pad("", PrintfFormat.Character(new IntValue(number)), Width, Align ?? '<', Fill, output);
            return;
        }

        var radix = Type switch { null or 'd' or 'n' => 10, 'b' => 2, 'o' => 8, 'x' or 'X' => 16, _ => throw Unknown("int") };
        var digits = NumberFormat.Integer(number, radix);
        if (Type == 'X')
            digits = digits.ToUpperInvariant();
        var prefix = SignOf(number < 0) + (Alternate && radix != 10 ? $"0{Type}" : "");
        WriteNumber(prefix, digits, "", radix == 10 ? 3 : 4, output);
    }

    private void WriteFloat(Value value, RenderState state, TextBuilder output)
    {
        Arithmetic.TryFloat(value, out var number);
        if (Type is { } type && !"eEfFgGn%".Contains(type))
            throw Unknown(value.TypeName);
        var digits = Type switch
        {
            null when Precision is null => NumberFormat.WithPoint(FloatText.Shortest(Math.Abs(number)), Alternate),
            null => NumberFormat.Float(number, 'g', Precision.Value, Alternate, state.Budget, needsDecimal: true),
            '%' => NumberFormat.Float(number * 100, 'f', Precision ?? 6, Alternate, state.Budget) + "%",
            'n' => NumberFormat.Float(number, 'g', Precision ?? 6, Alternate, state.Budget),
            _ => NumberFormat.Float(number, Type.Value, Precision ?? 6, Alternate, state.Budget),
        };
        var whole = digits.AsSpan().IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? end : digits.Length;
        WriteNumber(SignOf(double.IsNegative(number) && !double.IsNaN(number)), digits[..whole], digits[whole..], 3, output);
    }

    private void WriteNumber(string prefix, string whole, string rest, int group, TextBuilder output)
    {
        if (Grouping is { } separator)
        {
            // Zeros that fill the width are grouped too, and no separator may come first.
            output.Budget.Text(Width);
            var space = Align == '=' && Fill.Value == '0' ? Width - prefix.Length - rest.Length : 0;
            var zeros = space - (space / (group + 1)) + (space > 0 && space % (group + 1) == 0 ? 1 : 0);
            whole = NumberFormat.Group(whole.PadLeft(Math.Max(zeros, 0), '0'), separator, group);
        }

        NumberFormat.Pad(prefix, whole + rest, Width, Align ?? '>', Fill, output);
    }

    private string SignOf(bool isNegative) => isNegative ? "-" : Sign is '+' or ' ' ? Sign.Value.ToString() : "";

    private TemplateFailure Unknown(string typeName) => new($"Unknown format code '{Type ?? Align ?? Sign ?? '#'}' for object of type '{typeName}'");
}
