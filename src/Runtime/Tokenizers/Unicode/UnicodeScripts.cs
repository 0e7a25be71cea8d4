namespace Weft.Tokenizers.Unicode;

/// <summary>The scripts of characters (Unicode Standard Annex 24).</summary>
public static class UnicodeScripts
{
    /// <summary>The code points of a script, first and last of each range in rising order; null for a name that is not known.</summary>
    /// <param name="name">Its name, such as <c>Old_Italic</c>; neither case nor what separates words matters.</param>
    public static IReadOnlyList<(int First, int Last)>? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var number = Array.FindIndex(ScriptData.Names, known => string.Equals(Plain(known), Plain(name), StringComparison.OrdinalIgnoreCase)) + 1;
        if (number == 0)
            return null;
        var found = new List<(int First, int Last)>();
        var ranges = ScriptData.Ranges;
        for (var i = 0; i < ranges.Length; i += 3)
        {
            if (ranges[i + 2] == number)
                found.Add((ranges[i], ranges[i + 1]));
        }

        return found;
    }

    /// <summary>The name of a code point's script, or null where it has none.</summary>
    internal static string? NameOf(int point)
    {
        var ranges = ScriptData.Ranges;
        var (low, high) = (0, (ranges.Length / 3) - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (point < ranges[3 * middle])
                high = middle - 1;
            else if (point > ranges[(3 * middle) + 1])
                low = middle + 1;
            else
                return ScriptData.Names[ranges[(3 * middle) + 2] - 1];
        }

        return null;
    }

    private static string Plain(string name) => name.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal);
}
