using System.Globalization;
using System.Text.RegularExpressions;

namespace Weft.Convert;

/// <summary>Says that a config counts other layers than the weights have, where a tensor's number shows it.</summary>
internal static partial class LayerNumber
{
    /// <summary>For a tensor that is missing: no tensor's number is as high.</summary>
    public static string BeyondAll(string name, IEnumerable<string> names)
    {
        var (stem, number) = Of(name);
        if (stem is null)
            return "";
        var last = names.Select(Of).Where(other => other.Stem is not null && (stem.EndsWith(other.Stem, StringComparison.Ordinal) || other.Stem.EndsWith(stem, StringComparison.Ordinal)))
            .Select(other => other.Number).DefaultIfEmpty(-1).Max();
        return last >= 0 && number > last ? $"; the weights have {last + 1} layers, fewer than the config says" : "";
    }

    /// <summary>For a tensor that is left over: its number is not below that of layers.</summary>
    public static string Beyond(string name, int layers) =>
        Of(name) is (not null, var number) && number >= layers ? $"; the config says that there are {layers} layers" : "";

    private static (string? Stem, int Number) Of(string name) =>
        Numbered().Match(name) is { Success: true } match && int.TryParse(match.Groups[2].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? (match.Groups[1].Value, number)
            : (null, -1);

    [GeneratedRegex(@"^(\D*?\.?)(\d+)\.")]
    private static partial Regex Numbered();
}
