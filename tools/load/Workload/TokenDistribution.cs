using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Weft.Load.Workload;

/// <summary>A distribution of token counts; every count is at least 1 and at most <see cref="Most"/>.</summary>
public sealed class TokenDistribution
{
    /// <summary>How a distribution reads, for messages.</summary>
    public const string Forms = "a number (64), a range (32-512), normal:MEAN,DEVIATION or lognormal:MU,SIGMA";

    /// <summary>The largest count: more than any context holds.</summary>
    public const int Most = 10_000_000;

    private readonly Func<RandomStream, double> sample;

    private TokenDistribution(string text, double mean, Func<RandomStream, double> sample)
    {
        Text = text;
        Mean = mean;
        this.sample = sample;
    }

    /// <summary>The distribution as it was given.</summary>
    public string Text { get; }

    /// <summary>Its mean, before counts are rounded and kept in range.</summary>
    public double Mean { get; }

    /// <summary>Always <paramref name="count"/>.</summary>
    public static TokenDistribution Constant(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Most);
        return new(count.ToString(CultureInfo.InvariantCulture), count, _ => count);
    }

    /// <summary>Reads one of <see cref="Forms"/>.</summary>
    /// <param name="text">What the user gave.</param>
    /// <param name="distribution">The distribution.</param>
    /// <returns>False when it reads otherwise, or its mean is less than 1 or more than <see cref="Most"/>.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out TokenDistribution? distribution)
    {
        var trimmed = text?.Trim() ?? "";
        distribution = trimmed.Split(':', 2) switch
        {
            [var counts] => Uniform(trimmed, counts.Split('-')),
            ["normal", var parameters] => Normal(trimmed, parameters),
            ["lognormal", var parameters] => LogNormal(trimmed, parameters),
            _ => null,
        };
        if (distribution?.Mean is not (>= 1 and <= Most))
            distribution = null;
        return distribution is not null;
    }

    /// <inheritdoc/>
    public override string ToString() => Text;

    /// <summary>Draws a count.</summary>
    internal int Next(RandomStream random) => (int)Math.Clamp(Math.Round(sample(random)), 1, Most);

    private static TokenDistribution? Uniform(string text, string[] counts)
    {
        if (counts.Length > 2 || !TryCount(counts[0], out var least) || !TryCount(counts[^1], out var most) || least > most)
            return null;
        return new(text, (least + most) / 2.0, random => least + random.NextBelow(most - least + 1));
    }

    private static TokenDistribution? Normal(string text, string parameters) => TryPair(parameters, out var mean, out var deviation)
        ? new(text, mean, random => mean + deviation * random.NextNormal())
        : null;

    private static TokenDistribution? LogNormal(string text, string parameters) => TryPair(parameters, out var mu, out var sigma)
        ? new(text, Math.Exp(mu + sigma * sigma / 2), random => Math.Exp(mu + sigma * random.NextNormal()))
        : null;

    private static bool TryCount(string text, out int count) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count is >= 1 and <= Most;

    /// <summary>A place and a width that is not negative.</summary>
    private static bool TryPair(string text, out double place, out double width)
    {
        width = place = double.NaN;
        return text.Split(',') is [var first, var second] && TryNumber(first, out place) && TryNumber(second, out width) && width >= 0;
    }

    private static bool TryNumber(string text, out double number) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number);
}
