using System.Globalization;
using System.Text.Json;

namespace Weft.Convert.Tokenizers;

/// <summary>
/// Reads a number of a JSON file as serde_json does, with which Hugging Face's library reads tokenizer.json: the digits as an integer, which is
/// then scaled by a power of ten. That is not always the nearest double, and between cuts of a word whose scores are nearly equal it decides.
/// </summary>
internal static class RustNumber
{
    private const int HighestPower = 308;
    private const int Endless = 1_000_000;

    /// <summary>The doubles that are nearest to powers of ten.</summary>
    private static readonly double[] Powers = [.. Enumerable.Range(0, HighestPower + 1).Select(exponent => double.Parse($"1e{exponent}", CultureInfo.InvariantCulture))];

    /// <summary>Reads a number; infinity for one that is too large.</summary>
    /// <exception cref="WeftException">It is none.</exception>
    public static double Read(JsonElement number) =>
        number.ValueKind == JsonValueKind.Number ? Read(number.GetRawText()) : throw new WeftException("the tokenizer has a score that is no number");

    private static double Read(ReadOnlySpan<char> text)
    {
        var isNegative = text[0] == '-';
        var at = isNegative ? 1 : 0;
        var (significand, exponent) = (0ul, 0);
        bool isFull = false, isFraction = false;
        for (; at < text.Length && text[at] is '.' or (>= '0' and <= '9'); at++)
        {
            if (text[at] == '.')
            {
                isFraction = true;
                continue;
            }

            var digit = (uint)(text[at] - '0');
            isFull |= significand > (ulong.MaxValue - digit) / 10;
            // What has no place any more counts only before the point.
            if (!isFull)
                significand = (significand * 10) + digit;
            exponent += isFull == isFraction ? 0 : isFull ? 1 : -1;
        }

        if (at < text.Length)
            exponent += Exponent(text[(at + 1)..]);
        var value = Scale(significand, exponent);
        return isNegative ? -value : value;
    }

    private static int Exponent(ReadOnlySpan<char> text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? Math.Clamp(value, -Endless, Endless) : text[0] == '-' ? -Endless : Endless;

    private static double Scale(double value, int exponent)
    {
        for (; value != 0 && exponent < -HighestPower; exponent += HighestPower)
            value /= 1e308;
        return value == 0 ? 0 : exponent < 0 ? value / Powers[-exponent] : exponent > HighestPower ? double.PositiveInfinity : value * Powers[exponent];
    }
}
