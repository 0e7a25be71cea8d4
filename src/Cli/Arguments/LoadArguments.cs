using System.Globalization;
using Weft.Cli.Output;
using Weft.Load;
using Weft.Load.Workload;

namespace Weft.Cli.Arguments;

/// <summary>Reads the values of a load test's options; each that makes no sense is a <see cref="UsageException"/>.</summary>
internal static class LoadArguments
{
    /// <summary>No more than a timer can wait.</summary>
    private const double LongestSeconds = 1e6;

    /// <summary>A rate with less than an arrival in three hours is a mistake.</summary>
    private const double LeastRate = 1e-4;

    /// <summary>The server's address.</summary>
    public static Uri Server(string text) =>
        ServerAddress.TryParse(text, out var server) ? server : throw new UsageException($"URL is {ServerAddress.Form}, not '{text}'");

    /// <summary>The route.</summary>
    public static LoadEndpoint Endpoint(string option, string text) => text switch
    {
        "completions" => LoadEndpoint.Completions,
        "chat" => LoadEndpoint.Chat,
        _ => throw new UsageException($"{option} is completions or chat, not '{text}'"),
    };

    /// <summary>Requests per second, or null.</summary>
    public static double? Rate(string option, string? text)
    {
        if (text is null or "inf")
            return text is null ? null : double.PositiveInfinity;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var rate) && rate is >= LeastRate and < double.PositiveInfinity
            ? rate
            : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{option} is a number of at least {LeastRate}, or inf, not '{text}'"));
    }

    /// <summary>Token counts.</summary>
    public static TokenDistribution Distribution(string option, string text) => TokenDistribution.TryParse(text, out var distribution)
        ? distribution
        : throw new UsageException($"{option} is {TokenDistribution.Forms}, not '{text}'");

    /// <summary>A time.</summary>
    public static TimeSpan Seconds(string option, double value) => value is > 0 and <= LongestSeconds
        ? TimeSpan.FromSeconds(value)
        : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"{option} must be greater than 0 and at most {LongestSeconds}, not {value}"));

    /// <summary>A switch that is on unless it is said to be off.</summary>
    public static bool Switch(string option, string text) => text switch
    {
        "on" => true,
        "off" => false,
        _ => throw new UsageException($"{option} is on or off, not '{text}'"),
    };

    /// <summary>Limits of a good answer, or null.</summary>
    public static ServiceObjective? Objective(string option, string? text)
    {
        if (text is null)
            return null;
        return ServiceObjective.TryParse(text, out var objective) ? objective : throw new UsageException($"{option} is {ServiceObjective.Form}, not '{text}'");
    }

    /// <summary>The words of a file, or null.</summary>
    /// <exception cref="WeftException">The file cannot be read, or holds none.</exception>
    public static IReadOnlyList<string>? Words(string? path)
    {
        if (path is null)
            return null;
        var words = TextInput.ReadFile(path).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return words.Length > 0 ? words : throw new WeftException($"'{path}' holds no words");
    }
}
