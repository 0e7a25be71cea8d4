using System.Globalization;
using System.Text;

namespace Weft.Chat.Jinja;

/// <summary>Digits and padding, as both of Python's format languages need them.</summary>
internal static class NumberFormat
{
    /// <summary>The absolute value of a float in one of the forms e, f and g.</summary>
    /// <param name="value">The number; its sign is left out.</param>
    /// <param name="form">e, E, f, F, g or G.</param>
    /// <param name="precision">Decimals, or digits for g.</param>
    /// <param name="alternate">Whether g keeps zeros, and a point always stands.</param>
    /// <param name="budget">Pays for the digits.</param>
    /// <param name="needsDecimal">Whether a decimal must follow the point in g.</param>
    public static string Float(double value, char form, int precision, bool alternate, Budget budget, bool needsDecimal = false)
    {
        // Exact decimals of floats take numbers of a thousand digits.
        budget.Elements(32 + (precision / 4));
        budget.Text(precision);
        value = Math.Abs(value);
        var text = char.ToLowerInvariant(form) switch
        {
            'e' => FloatText.Scientific(value, precision),
            'f' => FloatText.Fixed(value, precision),
            _ => FloatText.General(value, precision, alternate, needsDecimal),
        };
        text = WithPoint(text, alternate);
        return char.IsUpper(form) ? text.ToUpperInvariant() : text;
    }

    /// <summary>The digits with a point, where one must stand even though no decimal follows it.</summary>
    public static string WithPoint(string digits, bool isRequired)
    {
        if (!isRequired || digits.AsSpan().ContainsAny('.', 'n'))
            return digits;
        return digits.IndexOf('e', StringComparison.Ordinal) is var e and >= 0 ? digits.Insert(e, ".") : digits + ".";
    }

    /// <summary>The absolute value of an int in base 2, 8, 10 or 16, without a prefix.</summary>
    public static string Integer(Int128 value, int radix)
    {
        var rest = value < 0 ? (UInt128)(-(value + 1)) + 1 : (UInt128)value;
        if (radix == 10)
            return rest.ToString(CultureInfo.InvariantCulture);
        var text = new StringBuilder();
        do
        {
            text.Insert(0, "0123456789abcdef"[(int)(rest % (uint)radix)]);
            rest /= (uint)radix;
        }
        while (rest > 0);
        return text.ToString();
    }

    /// <summary>Puts separators between groups of digits.</summary>
    public static string Group(string digits, char separator, int size)
    {
        var text = new StringBuilder(digits.Length + (digits.Length / size));
        for (var at = 0; at < digits.Length; at++)
        {
            if (at > 0 && (digits.Length - at) % size == 0)
                text.Append(separator);
            text.Append(digits[at]);
        }

        return text.ToString();
    }

    /// <summary>Pads a text to a width.</summary>
    /// <param name="prefix">Sign and base, which stay before zeros.</param>
    /// <param name="body">The text.</param>
    /// <param name="width">Code points of the result at least.</param>
    /// <param name="align">&lt;, &gt;, ^, or = between prefix and body.</param>
    /// <param name="fill">What to pad with.</param>
    /// <param name="output">Where it goes.</param>
    public static void Pad(string prefix, string body, long width, char align, Rune fill, TextBuilder output)
    {
        var missing = Math.Max(width - CodePoints.Count(prefix) - CodePoints.Count(body), 0);
        var left = align switch { '<' => 0, '^' => missing / 2, '=' => 0, _ => missing };
        Fill(left);
        output.Append(prefix);
        if (align == '=')
            Fill(missing);
        output.Append(body);
        Fill(align == '=' ? 0 : missing - left);

        void Fill(long count)
        {
            if (fill.IsBmp)
                output.Append((char)fill.Value, count);
            for (; !fill.IsBmp && count > 0; count--)
                output.Append(fill.ToString());
        }
    }
}
