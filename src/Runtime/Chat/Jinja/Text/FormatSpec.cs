using System.Globalization;
using System.Text;

namespace Weft.Chat.Jinja;

/// <summary>A format specification of str.format: <c>[[fill]align][sign][#][0][width][grouping][.precision][type]</c>.</summary>
internal readonly record struct FormatSpec
{
    private Rune Fill { get; init; }

    private char? Align { get; init; }

    private char Sign { get; init; }

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
        var spec = new FormatSpec { Fill = new(' '), Sign = '-' };
        var first = CodePoints.LengthAt(text, 0);
        if (first < text.Length && text[first] is '<' or '>' or '=' or '^' && Rune.TryGetRuneAt(text, 0, out var fill))
            (spec, at) = (spec with { Fill = fill, Align = text[first] }, first + 1);
        else if (text[0] is '<' or '>' or '=' or '^')
            (spec, at) = (spec with { Align = text[0] }, 1);
        if (at < text.Length && text[at] is '+' or '-' or ' ')
            spec = spec with { Sign = text[at++] };
        if (Skip('#'))
            spec = spec with { Alternate = true };
        if (Skip('0'))
            spec = spec with { Fill = spec.Align is null ? new('0') : spec.Fill, Align = spec.Align ?? (value is StringValue ? '<' : '=') };
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
        if (Type is not (null or 's') || Align == '=' || Grouping is not null || Sign != '-' || Alternate)
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
        WriteNumber(prefix, digits, radix == 10 ? 3 : 4, output);
    }

    private void WriteFloat(Value value, RenderState state, TextBuilder output)
    {
        Arithmetic.TryFloat(value, out var number);
        if (Type is { } type && !"eEfFgGn%".Contains(type))
            throw Unknown(value.TypeName);
        var digits = Type switch
        {
            null when Precision is null => FloatText.Shortest(Math.Abs(number)),
            null => WithPoint(NumberFormat.Float(number, 'g', Precision.Value, Alternate, state.Budget)),
            '%' => NumberFormat.Float(number * 100, 'f', Precision ?? 6, Alternate, state.Budget) + "%",
            'n' => NumberFormat.Float(number, 'g', Precision ?? 6, Alternate, state.Budget),
            _ => NumberFormat.Float(number, Type.Value, Precision ?? 6, Alternate, state.Budget),
        };
        WriteNumber(SignOf(double.IsNegative(number)), digits, 3, output);
    }

    private static string WithPoint(string text) => text.AsSpan().ContainsAny('.', 'e', 'n') ? text : text + ".0";

    private void WriteNumber(string prefix, string digits, int groups, TextBuilder output)
    {
        if (Grouping is { } separator)
        {
            digits = NumberFormat.Group(digits, separator, groups);
            if (Align == '=' && Fill.Value == '0')
                digits = PadGrouped(prefix, digits, groups, separator, output.Budget);
        }

        NumberFormat.Pad(prefix, digits, Width, Align ?? '>', Fill, output);
    }

    // Zeros that fill the width are grouped too, and no separator may come first.
    private string PadGrouped(string prefix, string digits, int groups, char separator, Budget budget)
    {
        budget.Text(Width);
        var end = digits.AsSpan().IndexOfAny('.', 'e', '%');
        var whole = digits[..(end < 0 ? digits.Length : end)].Replace(separator.ToString(), "", StringComparison.Ordinal);
        var rest = end < 0 ? "" : digits[end..];
        var space = Width - prefix.Length - rest.Length;
        var most = space - (space / (groups + 1));
        if (space > 0 && space % (groups + 1) == 0)
            most++;
        return NumberFormat.Group(whole.PadLeft(Math.Max(most, whole.Length), '0'), separator, groups) + rest;
    }

    private string SignOf(bool isNegative) => isNegative ? "-" : Sign == '-' ? "" : Sign.ToString();

    private TemplateFailure Unknown(string typeName) => new($"Unknown format code '{Type ?? Align ?? Sign}' for object of type '{typeName}'");
}
