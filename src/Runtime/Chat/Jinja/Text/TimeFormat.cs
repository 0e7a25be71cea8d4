using System.Globalization;

namespace Weft.Chat.Jinja;

/// <summary>Dates as strftime writes them in the C locale, with the flags that glibc adds between <c>%</c> and the letter.</summary>
internal static class TimeFormat
{
    /// <summary>The time in that format.</summary>
    public static string Apply(string format, DateTime time, Budget budget)
    {
        var output = new TextBuilder(budget);
        for (var at = 0; at < format.Length; at++)
        {
            if (format[at] != '%' || at + 1 >= format.Length)
            {
                output.Append(format[at]);
                continue;
            }

            budget.Step();
            var begin = at++;
            var flag = format[at] is '-' or '_' or '0' or '^' && at + 1 < format.Length ? format[at++] : '\0';
            if (Directive(format[at], time, budget) is (var text, var padding))
                output.Append(Flagged(text, padding, flag));
            else
                output.Append(format.AsSpan(begin, at + 1 - begin));
        }

        return output.ToString();
    }

    // The text of a directive and the character that fills it up, which a flag can exchange.
    private static (string Text, char Padding)? Directive(char letter, DateTime time, Budget budget)
    {
        var invariant = CultureInfo.InvariantCulture;
        var hour = time.Hour % 12 == 0 ? 12 : time.Hour % 12;
        return letter switch
        {
            'a' => (time.ToString("ddd", invariant), '\0'),
            'A' => (time.ToString("dddd", invariant), '\0'),
            'b' or 'h' => (time.ToString("MMM", invariant), '\0'),
            'B' => (time.ToString("MMMM", invariant), '\0'),
            'C' => Number(time.Year / 100, 2),
            'd' => Number(time.Day, 2),
            'e' => (time.Day.ToString(invariant).PadLeft(2), ' '),
            'f' => (time.ToString("ffffff", invariant), '\0'),
            'g' => Number(ISOWeek.GetYear(time) % 100, 2),
            'G' => Number(ISOWeek.GetYear(time), 4),
            'H' => Number(time.Hour, 2),
            'I' => Number(hour, 2),
            'j' => Number(time.DayOfYear, 3),
            'k' => (time.Hour.ToString(invariant).PadLeft(2), ' '),
            'l' => (hour.ToString(invariant).PadLeft(2), ' '),
            'm' => Number(time.Month, 2),
            'M' => Number(time.Minute, 2),
            'n' => ("\n", '\0'),
            'p' => (time.Hour < 12 ? "AM" : "PM", '\0'),
            'P' => (time.Hour < 12 ? "am" : "pm", '\0'),
            'S' => Number(time.Second, 2),
            't' => ("\t", '\0'),
            'u' => ((((int)time.DayOfWeek + 6) % 7 + 1).ToString(invariant), '\0'),
            'U' => Number((time.DayOfYear + 6 - (int)time.DayOfWeek) / 7, 2),
            'V' => Number(ISOWeek.GetWeekOfYear(time), 2),
            'w' => (((int)time.DayOfWeek).ToString(invariant), '\0'),
            'W' => Number((time.DayOfYear + 6 - (((int)time.DayOfWeek + 6) % 7)) / 7, 2),
            'y' => Number(time.Year % 100, 2),
            'Y' => (time.Year.ToString(invariant), '\0'),
            // The time has no zone, as Python's datetime.now() has none.
            'z' or 'Z' => ("", '\0'),
            '%' => ("%", '\0'),
            'c' => (Apply("%a %b %e %H:%M:%S %Y", time, budget), '\0'),
            'D' or 'x' => (Apply("%m/%d/%y", time, budget), '\0'),
            'F' => (Apply("%Y-%m-%d", time, budget), '\0'),
            'r' => (Apply("%I:%M:%S %p", time, budget), '\0'),
            'R' => (Apply("%H:%M", time, budget), '\0'),
            'T' or 'X' => (Apply("%H:%M:%S", time, budget), '\0'),
            _ => null,
        };
    }

    private static (string, char) Number(int value, int digits) =>
        (value.ToString(CultureInfo.InvariantCulture).PadLeft(digits, '0'), '0');

    private static string Flagged(string text, char padding, char flag)
    {
        if (flag == '^')
            return text.ToUpperInvariant();
        if (flag == '\0' || padding == '\0')
            return text;
        var digits = text.TrimStart(padding);
        if (digits.Length == 0)
            digits = "0";
        return flag == '-' ? digits : digits.PadLeft(text.Length, flag == '_' ? ' ' : '0');
    }
}
