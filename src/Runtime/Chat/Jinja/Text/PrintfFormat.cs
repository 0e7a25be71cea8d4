using System.Text;

namespace Weft.Chat.Jinja;

/// <summary>Formats with <c>%</c>, as the operator of that name and the filter format do.</summary>
internal sealed class PrintfFormat
{
    private readonly string format;
    private readonly RenderState state;
    private readonly TextBuilder output;
    private readonly IReadOnlyList<Value> values;
    private readonly DictValue? names;
    private readonly bool mayBeUnused;
    private int position;
    private int used;

    private PrintfFormat(string format, Value argument, RenderState state)
    {
        this.format = format;
        this.state = state;
        output = new(state.Budget);
        values = argument is TupleValue tuple ? tuple.Items : [argument];
        names = argument as DictValue;
        mayBeUnused = argument is DictValue or ListValue or RangeValue or UndefinedValue;
    }

    /// <summary>The format with its values: a tuple's items, a dict's items by name, or the one value.</summary>
    public static string Apply(string format, Value argument, RenderState state) => new PrintfFormat(format, argument, state).Run();

    /// <summary>The character of <c>%c</c>: a text of one, or its code point.</summary>
    public static string Character(Value value)
    {
        if (Arithmetic.TryNumber(value, out var number))
            return number >= 0 && number <= 0x10ffff && Rune.IsValid((int)number) ? new Rune((int)number).ToString()
                : throw new TemplateFailure("%c arg not in range(0x110000)");
        return value is StringValue { Length: 1 } text ? text.Text : throw new TemplateFailure("%c requires int or char");
    }

    private string Run()
    {
        while (position < format.Length)
        {
            var percent = format.IndexOf('%', position);
            output.Append(format.AsSpan(position, (percent < 0 ? format.Length : percent) - position));
            position = percent < 0 ? format.Length : percent + 1;
            if (percent >= 0)
                Convert();
        }

        return used >= values.Count || mayBeUnused ? output.ToString()
            : throw new TemplateFailure("not all arguments converted during string formatting");
    }

    private void Convert()
    {
        state.Budget.Step();
        var named = Peek() == '(' ? Named() : null;
        var flags = position;
        while (Peek() is '-' or '+' or ' ' or '#' or '0')
            position++;
        var given = format[flags..position];
        var spec = new Spec(given.Contains('-'), given.Contains('+') ? "+" : given.Contains(' ') ? " " : "", given.Contains('#'), given.Contains('0'));
        var width = Count(named) ?? 0;
        spec = width < 0 ? spec with { Left = true, Width = -(long)width } : spec with { Width = width };
        if (Peek() == '.')
        {
            position++;
            spec = spec with { Precision = Math.Max(Count(named) ?? 0, 0) };
        }

        while (Peek() is 'h' or 'l' or 'L')
            position++;
        var type = Take();
        if (type == '%')
            output.Append('%');
        else
            Write(type, named ?? Next(), spec);
    }

    private void Write(char type, Value value, Spec spec)
    {
        switch (type)
        {
            case 's' or 'r':
                Pad("", Cut(Printed(value, type == 's'), spec.Precision), spec with { Zero = false });
                break;
            case 'c':
                Pad("", Character(value), spec with { Zero = false });
                break;
            case 'd' or 'i' or 'u':
                WriteInteger(Truncated(type, value), 10, "", spec);
                break;
            case 'x' or 'X' or 'o':
                if (!Arithmetic.TryNumber(value, out var number))
                    throw new TemplateFailure($"%{type} format: an integer is required, not {value.TypeName}");
                WriteInteger(number, type == 'o' ? 8 : 16, spec.Alternate ? $"0{type}" : "", spec, type == 'X');
                break;
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                if (value is UndefinedValue undefined)
                    throw undefined.Failure(state.Budget);
                if (!Arithmetic.TryFloat(value, out var real))
                    throw new TemplateFailure($"must be real number, not {value.TypeName}");
                var sign = double.IsNegative(real) && !double.IsNaN(real) ? "-" : spec.Sign;
                Pad(sign, NumberFormat.Float(real, type, spec.Precision ?? 6, spec.Alternate, state.Budget), spec);
                break;
            default:
                throw new TemplateFailure($"unsupported format character '{type}' (0x{(int)type:x}) at index {position - 1}");
        }
    }

    private void WriteInteger(Int128 number, int radix, string prefix, Spec spec, bool upper = false)
    {
        var digits = NumberFormat.Integer(number, radix);
        state.Budget.Text(spec.Precision ?? 0);
        digits = digits.PadLeft(spec.Precision ?? 0, '0');
        Pad((number < 0 ? "-" : spec.Sign) + prefix, upper ? digits.ToUpperInvariant() : digits, spec);
    }

    private void Pad(string prefix, string body, Spec spec) =>
        NumberFormat.Pad(prefix, body, spec.Width, spec.Left ? '<' : spec.Zero ? '=' : '>', new Rune(spec.Zero && !spec.Left ? '0' : ' '), output);

    private string Printed(Value value, bool asText)
    {
        if (asText && value is StringValue text)
            return text.Text;
        var printed = new TextBuilder(state.Budget);
        if (asText)
            value.Print(printed);
        else
            value.Represent(printed);
        return printed.ToString();
    }

    private static string Cut(string text, int? precision)
    {
        var value = new StringValue(text);
        return precision < value.Length ? text[..CodePoints.ToOffset(value, precision.Value)] : text;
    }

    private Int128 Truncated(char type, Value value)
    {
        if (value is UndefinedValue undefined)
            throw undefined.Failure(state.Budget);
        if (Arithmetic.TryNumber(value, out var number))
            return number;
        if (value is not FloatValue real)
            throw new TemplateFailure($"%{type} format: a real number is required, not {value.TypeName}");
        return Arithmetic.TryInteger(Math.Truncate(real.Number), out number) ? number
            : throw new TemplateFailure("cannot convert float infinity or NaN or a number beyond 128 bits to integer");
    }

    private Value Named()
    {
        var depth = 1;
        var begin = ++position;
        while (depth > 0)
        {
            depth += Take() switch { '(' => 1, ')' => -1, _ => 0 };
        }

        if (values is [UndefinedValue undefined])
            throw undefined.Failure(state.Budget);
        if (names is null)
            throw new TemplateFailure("format requires a mapping");
        var name = format[begin..(position - 1)];
        return names.Find(new StringValue(name)) ?? throw new TemplateFailure($"'{name}'");
    }

    // A width or precision: digits, or '*' for the next value.
    private int? Count(Value? named)
    {
        if (Peek() == '*')
        {
            position++;
            if (named is not null || !Arithmetic.TryNumber(Next(), out var number))
                throw new TemplateFailure("* wants int");
            return (int)Int128.Clamp(number, -int.MaxValue, int.MaxValue);
        }

        var begin = position;
        long count = 0;
        while (char.IsAsciiDigit(Peek()))
            count = Math.Min((count * 10) + Take() - '0', int.MaxValue);
        return position > begin ? (int)count : null;
    }

    private Value Next()
    {
        if (used >= values.Count)
            throw new TemplateFailure("not enough arguments for format string");
        return values[used++];
    }

    private char Peek() => position < format.Length ? format[position] : '\0';

    private char Take() => position < format.Length ? format[position++] : throw new TemplateFailure("incomplete format");

    private readonly record struct Spec(bool Left, string Sign, bool Alternate, bool Zero, long Width = 0, int? Precision = null);
}
