using System.Globalization;

namespace Weft.Cli.Arguments;

/// <summary>Range checks of option values.</summary>
internal static class Check
{
    /// <summary>Throws unless <paramref name="value"/> ≥ <paramref name="least"/>.</summary>
    /// <exception cref="UsageException">It is smaller, or not a number.</exception>
    public static void AtLeast(string option, double value, double least)
    {
        if (!(value >= least))
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{option} must be at least {least}, not {value}"));
    }

    /// <summary>Throws unless <paramref name="value"/> is in [0, 1].</summary>
    /// <exception cref="UsageException">It is not.</exception>
    public static void Share(string option, double value)
    {
        if (!(value is >= 0 and <= 1))
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{option} must be between 0 and 1, not {value}"));
    }
}
