using System.Globalization;

namespace Weft.Cli.Output;

/// <summary>Numbers with units, the same way everywhere; decimal multiples (1 MB is 10⁶ bytes).</summary>
internal static class Units
{
    /// <summary>Bytes with at most four significant characters: <c>10.5 MB</c>.</summary>
    public static string Bytes(double count) => Scaled(count, "B", ["", "k", "M", "G", "T"]);

    /// <summary>A plain count: <c>5.2M</c>.</summary>
    public static string Count(double count) => Scaled(count, "", ["", "k", "M", "B", "T"]).Replace(" ", "", StringComparison.Ordinal);

    /// <summary>Things per second, or a dash when there was no time to measure.</summary>
    public static string Rate(double things, TimeSpan time, string unit) =>
        time <= TimeSpan.Zero || things <= 0 ? "–" : string.Create(CultureInfo.InvariantCulture, $"{things / time.TotalSeconds:N1} {unit}");

    /// <summary>A time in the unit that suits it: <c>3.21 ms</c>, <c>1.50 s</c>.</summary>
    public static string Time(TimeSpan time) => time.TotalSeconds < 1
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:F2} ms")
        : string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:F2} s");

    private static string Scaled(double value, string unit, string[] prefixes)
    {
        var step = 0;
        for (; value >= 999.5 && step < prefixes.Length - 1; step++)
            value /= 1000;
        var digits = step == 0 ? "F0" : value < 9.995 ? "F2" : value < 99.95 ? "F1" : "F0";
        return value.ToString(digits, CultureInfo.InvariantCulture) + " " + prefixes[step] + unit;
    }
}
