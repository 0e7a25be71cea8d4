using System.Globalization;
using System.Numerics;

namespace Weft.Chat.Jinja;

/// <summary>Floats as Python writes them. Every digit is exact: halves are rounded to even on the float's true decimal value.</summary>
internal static class FloatText
{
    // No float has more decimals than this that are not 0.
    private const int MostDecimals = 1100;

    /// <summary>repr(): the fewest digits that give the same float back.</summary>
    public static string Shortest(double value)
    {
        if (Special(value) is { } special)
            return special;
        var (digits, exponent) = Split(value.ToString("R", CultureInfo.InvariantCulture));
        var sign = double.IsNegative(value) ? "-" : "";
        if (exponent is >= -4 and < 16)
            return sign + Place(digits, exponent, 1);
        return sign + digits[..1] + (digits.Length > 1 ? "." + digits[1..] : "") + Exponent(exponent, 'e');
    }

    /// <summary>A fixed number of decimals, as <c>%.2f</c> writes it.</summary>
    public static string Fixed(double value, int decimals)
    {
        if (Special(value) is { } special)
            return special;
        var exact = Math.Min(decimals, MostDecimals);
        var digits = Scaled(Math.Abs(value), exact).ToString(CultureInfo.InvariantCulture).PadLeft(exact + 1, '0');
        var text = digits[..^exact] + (decimals > 0 ? "." + digits[^exact..].PadRight(decimals, '0') : "");
        return double.IsNegative(value) ? "-" + text : text;
    }

    /// <summary>One digit before the point and an exponent, as <c>%.2e</c> writes it.</summary>
    public static string Scientific(double value, int decimals)
    {
        if (Special(value) is { } special)
            return special;
        var (digits, exponent) = Rounded(Math.Abs(value), Math.Min(decimals, MostDecimals) + 1);
        var sign = double.IsNegative(value) ? "-" : "";
        return sign + digits[..1] + (decimals > 0 ? "." + digits[1..].PadRight(decimals, '0') : "") + Exponent(exponent, 'e');
    }

    /// <summary>A number of digits in the shorter of both forms, as <c>%g</c> writes it.</summary>
    /// <param name="value">The number.</param>
    /// <param name="precision">Digits.</param>
    /// <param name="keepZeros">Whether zeros at the end stay.</param>
    /// <param name="needsDecimal">Whether a decimal must follow the point, as in str.format without a type; that leaves a digit less before it.</param>
    public static string General(double value, int precision, bool keepZeros, bool needsDecimal = false)
    {
        if (Special(value) is { } special)
            return special;
        precision = Math.Clamp(precision, 1, MostDecimals);
        var (digits, exponent) = Rounded(Math.Abs(value), precision);
        var sign = double.IsNegative(value) ? "-" : "";
        if (!keepZeros)
            digits = digits.TrimEnd('0') is { Length: > 0 } trimmed ? trimmed : "0";
        if (exponent >= -4 && exponent < precision - (needsDecimal ? 1 : 0))
            return sign + Place(digits, exponent, keepZeros ? Math.Max(precision - exponent - 1, 0) : needsDecimal ? 1 : 0);
        return sign + digits[..1] + (digits.Length > 1 ? "." + digits[1..] : "") + Exponent(exponent, 'e');
    }

    /// <summary>The float nearest to the value rounded to that many decimals, which may be negative.</summary>
    public static double Round(double value, int decimals)
    {
        if (!double.IsFinite(value) || decimals > 330)
            return value;
        if (decimals < -330)
            return Math.CopySign(0, value);
        var text = $"{Scaled(Math.Abs(value), decimals)}E{-decimals}";
        return Math.CopySign(double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture), value);
    }

    private static string? Special(double value) => value switch
    {
        double.NaN => "nan",
        double.PositiveInfinity => "inf",
        double.NegativeInfinity => "-inf",
        _ => null,
    };

    private static string Exponent(int exponent, char letter) => letter + (exponent < 0 ? "-" : "+") + Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture);

    // Digits and the exponent of the first, of a number in any form that .NET writes.
    private static (string Digits, int Exponent) Split(string text)
    {
        text = text.TrimStart('-');
        var e = text.IndexOf('E', StringComparison.Ordinal);
        var exponent = e < 0 ? 0 : int.Parse(text[(e + 1)..], CultureInfo.InvariantCulture);
        var mantissa = e < 0 ? text : text[..e];
        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var all = mantissa.Replace(".", "", StringComparison.Ordinal);
        var digits = all.TrimStart('0');
        exponent += (point < 0 ? mantissa.Length : point) - 1 - (all.Length - digits.Length);
        digits = digits.TrimEnd('0');
        return digits.Length == 0 ? ("0", 0) : (digits, exponent);
    }

    // Puts the point where the exponent says, with at least that many decimals.
    private static string Place(string digits, int exponent, int decimals)
    {
        if (exponent < 0)
            (digits, exponent) = (new string('0', -exponent) + digits, 0);
        digits = digits.PadRight(exponent + 1 + decimals, '0');
        return digits.Length == exponent + 1 ? digits : digits[..(exponent + 1)] + "." + digits[(exponent + 1)..];
    }

    // The first digits of a number and the exponent of the first.
    private static (string Digits, int Exponent) Rounded(double value, int count)
    {
        if (value == 0)
            return (new string('0', count), 0);
        var exponent = (int)Math.Floor(Math.Log10(value));
        // The logarithm can miss by one, and rounding can carry into a new digit.
        for (exponent--; ; exponent++)
        {
            var digits = Scaled(value, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
            if (digits.Length <= count)
                return (digits, exponent);
        }
    }

    // value * 10^decimals as a whole number, halves to even.
    private static BigInteger Scaled(double value, int decimals)
    {
        var bits = BitConverter.DoubleToInt64Bits(value);
        var exponent = (int)(bits >> 52) & 0x7ff;
        BigInteger numerator = (bits & ((1L << 52) - 1)) | (exponent > 0 ? 1L << 52 : 0);
        var shift = Math.Max(exponent, 1) - 1075;
        var denominator = BigInteger.One;
        if (shift > 0)
            numerator <<= shift;
        else
            denominator <<= -shift;
        if (decimals > 0)
            numerator *= BigInteger.Pow(10, decimals);
        else
            denominator *= BigInteger.Pow(10, -decimals);
        var quotient = BigInteger.DivRem(numerator, denominator, out var remainder);
        var half = (remainder * 2).CompareTo(denominator);
        return half > 0 || (half == 0 && !quotient.IsEven) ? quotient + 1 : quotient;
    }
}
