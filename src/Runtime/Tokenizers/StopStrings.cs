using System.Text;

namespace Weft.Tokenizers;

/// <summary>
/// Watches streamed text for stop strings. Text that could still become one is held back, so that no part of a stop string is ever
/// shown, wherever the stream is cut.
/// </summary>
public sealed class StopStrings
{
    private readonly string[] stops;
    private readonly int longest;
    private readonly StringBuilder held = new();

    /// <summary>Creates a watcher.</summary>
    /// <exception cref="WeftException">A stop string is empty.</exception>
    public StopStrings(IReadOnlyList<string> stops)
    {
        ArgumentNullException.ThrowIfNull(stops);
        if (stops.Any(string.IsNullOrEmpty))
            throw new WeftException("a stop string is empty; it must have at least one character");
        this.stops = [.. stops.Distinct()];
        longest = this.stops.Select(stop => stop.Length).DefaultIfEmpty(0).Max();
    }

    /// <summary>The stop string that was found, or null.</summary>
    public string? Match { get; private set; }

    /// <summary>Whether a stop string was found; text after it is dropped.</summary>
    public bool IsMatched => Match is not null;

    /// <summary>Adds text; returns what can be shown: everything before a match, or all that no match can begin in.</summary>
    public string Append(string text)
    {
        if (IsMatched || text.Length == 0)
            return "";
        if (stops.Length == 0)
            return text;
        held.Append(text);
        var all = held.ToString();
        if (FindFirst(all) is { } at)
        {
            held.Clear();
            return all[..at];
        }

        var keep = HeldBack(all);
        held.Remove(0, all.Length - keep);
        return all[..^keep];
    }

    /// <summary>The text still held back when the stream ends.</summary>
    public string Flush()
    {
        var rest = held.ToString();
        held.Clear();
        return rest;
    }

    /// <summary>
    /// Where the match begins that is complete first; of those that end together the longest. What comes later in the stream cannot
    /// change that choice, so it is the same however the text was cut.
    /// </summary>
    private int? FindFirst(string text)
    {
        int? first = null;
        foreach (var stop in stops)
        {
            var at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at < 0)
                continue;
            var end = at + stop.Length;
            var best = first + Match?.Length;
            if (best is null || end < best || (end == best && at < first))
                (first, Match) = (at, stop);
        }

        return first;
    }

    /// <summary>Length of the longest end of the text that begins a stop string.</summary>
    private int HeldBack(string text)
    {
        for (var length = Math.Min(longest - 1, text.Length); length > 0; length--)
        {
            var end = text.AsSpan(text.Length - length);
            foreach (var stop in stops)
            {
                if (stop.Length > length && stop.AsSpan().StartsWith(end, StringComparison.Ordinal))
                    return length;
            }
        }

        return 0;
    }
}
