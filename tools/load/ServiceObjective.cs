using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Weft.Load;

/// <summary>What a request has to keep to count as good; a limit that is null is not asked for.</summary>
/// <param name="TimeToFirstToken">Longest time to the first token, in milliseconds.</param>
/// <param name="TimePerOutputToken">Longest mean time of a token after the first, in milliseconds.</param>
public sealed record ServiceObjective(double? TimeToFirstToken, double? TimePerOutputToken)
{
    /// <summary>How an objective reads, for messages.</summary>
    public const string Form = "ttft=MILLISECONDS, tpot=MILLISECONDS or both with a comma between";

    /// <summary>Reads <c>ttft=500,tpot=30</c> or one of the two.</summary>
    /// <param name="text">What the user gave.</param>
    /// <param name="objective">The limits.</param>
    /// <returns>False when it reads otherwise.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out ServiceObjective? objective)
    {
        objective = null;
        var parsed = new ServiceObjective(null, null);
        foreach (var part in (text ?? "").Split(','))
        {
            var pair = part.Split('=', 2, StringSplitOptions.TrimEntries);
            if (pair.Length < 2 || !double.TryParse(pair[1], NumberStyles.Float, CultureInfo.InvariantCulture, out var limit) || !(limit is > 0 and < double.PositiveInfinity))
                return false;
            switch (pair[0])
            {
                case "ttft" when parsed.TimeToFirstToken is null:
                    parsed = parsed with { TimeToFirstToken = limit };
                    break;
                case "tpot" when parsed.TimePerOutputToken is null:
                    parsed = parsed with { TimePerOutputToken = limit };
                    break;
                default:
                    return false;
            }
        }

        objective = parsed;
        return true;
    }

    /// <summary>Whether an answer with these times in milliseconds is good; an answer of one token has no time per further token.</summary>
    internal bool IsMet(double timeToFirstToken, double? timePerOutputToken) =>
        !(timeToFirstToken > TimeToFirstToken) && !(timePerOutputToken > TimePerOutputToken);
}
