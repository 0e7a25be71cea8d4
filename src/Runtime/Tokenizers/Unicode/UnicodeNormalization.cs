using System.Text;

namespace Weft.Tokenizers.Unicode;

/// <summary>
/// Unicode normalization (UAX #15). .NET leaves normalization to the ICU library, which a machine need not have; without it text
/// would pass unchanged and a tokenizer give other ids than the one that a model was trained with.
/// </summary>
internal static class UnicodeNormalization
{
    private const int HangulBase = 0xAC00;
    private const int LeadBase = 0x1100;
    private const int VowelBase = 0x1161;
    private const int TrailBase = 0x11A7;
    private const int VowelCount = 21;
    private const int TrailCount = 28;
    private const int HangulCount = 19 * VowelCount * TrailCount;

    private static readonly Dictionary<int, (int First, int Second)> Decompositions = [];
    private static readonly Dictionary<int, int[]> Compatible = [];
    private static readonly Dictionary<(int First, int Second), int> Compositions = [];
    private static readonly Dictionary<int, int> Classes = [];

    static UnicodeNormalization()
    {
        var rows = UnicodeData.Decompositions;
        for (var i = 0; i < rows.Length; i += 4)
        {
            Decompositions.Add(rows[i], (rows[i + 1], rows[i + 2]));
            if (rows[i + 3] != 0)
                Compositions.Add((rows[i + 1], rows[i + 2]), rows[i]);
        }

        rows = UnicodeData.CompatibilityDecompositions;
        for (var i = 0; i < rows.Length; i += 2 + rows[i + 1])
            Compatible.Add(rows[i], rows.Slice(i + 2, rows[i + 1]).ToArray());

        var ranges = UnicodeData.CombiningClasses;
        for (var i = 0; i < ranges.Length; i += 3)
        {
            for (var c = ranges[i]; c <= ranges[i + 1]; c++)
                Classes.Add(c, ranges[i + 2]);
        }
    }

    /// <summary>Form C of well-formed UTF-16 text.</summary>
    public static string ToFormC(string text) =>
        // Below U+0300 every character is its own composed form and none combines.
        text.AsSpan().IndexOfAnyExceptInRange('\0', '\u02FF') < 0 ? text : Text(Compose(Decompose(text, compatible: false)));

    /// <summary>Form D.</summary>
    public static string ToFormD(string text) => Ascii.IsValid(text) ? text : Text(Decompose(text, compatible: false));

    /// <summary>Form KC.</summary>
    public static string ToFormKC(string text) => Ascii.IsValid(text) ? text : Text(Compose(Decompose(text, compatible: true)));

    /// <summary>Form KD.</summary>
    public static string ToFormKD(string text) => Ascii.IsValid(text) ? text : Text(Decompose(text, compatible: true));

    private static string Text(List<int> points)
    {
        var result = new StringBuilder(points.Count);
        Span<char> units = stackalloc char[2];
        foreach (var point in points)
            result.Append(units[..new Rune(point).EncodeToUtf16(units)]);
        return result.ToString();
    }

    private static List<int> Decompose(string text, bool compatible)
    {
        var points = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            Decompose(rune.Value, compatible, points);
        Order(points);
        return points;
    }

    private static void Decompose(int point, bool compatible, List<int> points)
    {
        var syllable = point - HangulBase;
        if ((uint)syllable < HangulCount)
        {
            points.Add(LeadBase + (syllable / (VowelCount * TrailCount)));
            points.Add(VowelBase + (syllable % (VowelCount * TrailCount) / TrailCount));
            if (syllable % TrailCount != 0)
                points.Add(TrailBase + (syllable % TrailCount));
        }
        else if (Decompositions.TryGetValue(point, out var parts))
        {
            Decompose(parts.First, compatible, points);
            if (parts.Second != 0)
                Decompose(parts.Second, compatible, points);
        }
        else if (compatible && Compatible.TryGetValue(point, out var others))
        {
            foreach (var other in others)
                Decompose(other, compatible, points);
        }
        else
        {
            points.Add(point);
        }
    }

    /// <summary>Sorts each run of combining marks by class, marks of one class staying in order.</summary>
    private static void Order(List<int> points)
    {
        for (var i = 0; i < points.Count; i++)
        {
            var first = i;
            while (i < points.Count && Class(points[i]) != 0)
                i++;
            if (i - first < 2)
                continue;
            var sorted = points[first..i].OrderBy(Class).ToList(); // which is stable
            for (var k = 0; k < sorted.Count; k++)
                points[first + k] = sorted[k];
        }
    }

    private static List<int> Compose(List<int> points)
    {
        var result = new List<int>(points.Count);
        var starter = -1;
        var last = 0;
        foreach (var point in points)
        {
            var rank = Class(point);
            // A mark is blocked from the starter by one of its own or a higher class, a starter by anything in between.
            var adjacent = starter >= 0 && starter == result.Count - 1;
            if (starter >= 0 && (adjacent || (rank != 0 && last < rank)) && TryCompose(result[starter], point, out var composed))
            {
                result[starter] = composed;
                continue;
            }

            if (rank == 0)
                starter = result.Count;
            last = rank;
            result.Add(point);
        }

        return result;
    }

    private static bool TryCompose(int first, int second, out int composed)
    {
        var lead = first - LeadBase;
        var vowel = second - VowelBase;
        if ((uint)lead < 19 && (uint)vowel < VowelCount)
        {
            composed = HangulBase + (((lead * VowelCount) + vowel) * TrailCount);
            return true;
        }

        var syllable = first - HangulBase;
        var trail = second - TrailBase;
        if ((uint)syllable < HangulCount && syllable % TrailCount == 0 && trail is > 0 and < TrailCount)
        {
            composed = first + trail;
            return true;
        }

        return Compositions.TryGetValue((first, second), out composed);
    }

    private static int Class(int point) => Classes.GetValueOrDefault(point);
}
