using System.Buffers;
using System.Globalization;

namespace Weft.Chat.Jinja;

/// <summary>What filters and methods make of their arguments.</summary>
internal static class Conversion
{
    private static readonly SearchValues<char> FloatCharacters = SearchValues.Create("0123456789_.eE+-");

    /// <summary>str() of a value; text stays as it is, even if it is HTML.</summary>
    public static StringValue ToText(Value value, RenderState state)
    {
        if (value is StringValue text)
            return text;
        var output = new TextBuilder(state.Budget);
        value.Print(output);
        return new(output.ToString());
    }

    /// <summary>The text of a value that must be one.</summary>
    public static string RequireText(Value value, string function) => value is StringValue text ? text.Text
        : throw new TemplateFailure($"{function} argument must be str, not {value.TypeName}");

    /// <summary>The whole number that a value must be, cut to 64 bits; that is beyond every length.</summary>
    public static long ToIndex(Value value) => Arithmetic.TryNumber(value, out var number) ? (long)Int128.Clamp(number, long.MinValue, long.MaxValue)
        : throw new TemplateFailure($"'{value.TypeName}' object cannot be interpreted as an integer");

    /// <summary>The same for an argument that can be left out.</summary>
    public static long ToIndex(Value? value, long absent) => value is null ? absent : ToIndex(value);

    /// <summary>The same where None means that it is left out.</summary>
    public static long? ToIndexOrNone(Value? value) => value is null or NoneValue ? null : ToIndex(value);

    /// <summary>int() of a text: digits with single underscores between, in a base from 2 to 36, or 0 for the one that a prefix names.</summary>
    public static Int128? ParseInteger(string text, int radix)
    {
        var digits = PythonText.Strip(text, null, left: true, right: true);
        var isNegative = digits.StartsWith('-');
        if (isNegative || digits.StartsWith('+'))
            digits = digits[1..];
        var named = digits.Length > 2 && digits[0] == '0' ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (named != 0 && (radix == 0 || radix == named))
            (digits, radix) = (digits[(digits[2] == '_' ? 3 : 2)..], named);
        if (radix == 0)
            radix = digits.Length > 1 && digits[0] == '0' && digits.AsSpan().ContainsAnyExcept('0', '_') ? 0 : 10;
        if (radix == 0 || !TryAccumulate(digits, radix, out var number))
            return null;
        return isNegative ? -number : number;
    }

    /// <summary>float() of a text.</summary>
    public static double? ParseFloat(string text)
    {
        text = PythonText.Strip(text, null, left: true, right: true);
        var unsigned = text.StartsWith('-') || text.StartsWith('+') ? text[1..] : text;
        var special = unsigned.ToLowerInvariant() switch
        {
            "inf" or "infinity" => double.PositiveInfinity,
            "nan" => double.NaN,
            _ => 0,
        };
        if (special != 0)
            return text[0] == '-' ? -special : special;
        // Python allows an underscore only between digits; .NET allows none, and more words than Python.
        if (unsigned.AsSpan().ContainsAnyExcept(FloatCharacters) || !HasPlacedUnderscores(unsigned))
            return null;
        return double.TryParse(text.Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    private static bool TryAccumulate(string digits, int radix, out Int128 number)
    {
        number = 0;
        if (digits.Length == 0 || !HasPlacedUnderscores(digits))
            return false;
        foreach (var c in digits)
        {
            if (c == '_')
                continue;
            var digit = char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10 : CharUnicodeInfo.GetDecimalDigitValue(c);
            if (digit < 0 || digit >= radix)
                return false;
            if (number > (Int128.MaxValue - digit) / radix)
                throw new TemplateFailure("an integer grows beyond 128 bits");
            number = (number * radix) + digit;
        }

        return true;
    }

    private static bool HasPlacedUnderscores(string digits)
    {
        for (var i = 0; i < digits.Length; i++)
        {
            if (digits[i] == '_' && (i == 0 || i == digits.Length - 1 || !char.IsLetterOrDigit(digits[i - 1]) || !char.IsLetterOrDigit(digits[i + 1])))
                return false;
        }

        return true;
    }
}
