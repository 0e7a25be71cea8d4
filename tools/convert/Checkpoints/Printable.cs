namespace Weft.Convert.Checkpoints;

/// <summary>Shows a text that comes from a file in a message: on one line, not endless, and without codes that a terminal would obey.</summary>
internal static class Printable
{
    private const int Longest = 200;

    public static string Of(string text)
    {
        var shown = string.Concat(text.Take(Longest).Select(c => char.IsControl(c) ? '?' : c));
        return text.Length > Longest ? shown + "…" : shown;
    }
}
