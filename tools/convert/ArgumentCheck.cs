namespace Weft.Convert;

/// <summary>Finds what CommandLineParser lets through: it drops surplus arguments and takes an option without its value as absent.</summary>
internal static class ArgumentCheck
{
    private static readonly string[] WithValue = ["-o", "--output", "--dtype"];

    /// <summary>What is wrong with <paramref name="arguments"/>, or null.</summary>
    public static string? FindError(IReadOnlyList<string> arguments)
    {
        var sources = 0;
        for (var i = 0; i < arguments.Count; i++)
        {
            if (WithValue.Contains(arguments[i]))
            {
                if (++i == arguments.Count)
                    return $"{arguments[^1]} needs a value";
            }
            else if (!arguments[i].StartsWith('-') && ++sources > 1)
            {
                return $"'{arguments[i]}' is one argument too many";
            }
        }

        return null;
    }
}
