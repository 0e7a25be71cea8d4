using System.Text;

namespace Weft.Chat;

/// <summary>
/// Separates what a model thinks, between <c>&lt;think&gt;</c> and <c>&lt;/think&gt;</c> at the beginning of its text, from its answer, while the
/// text is still coming. White space around the thoughts belongs to neither; a text that begins with something else is all answer, unchanged.
/// </summary>
public sealed class ReasoningSplitter
{
    private const string Open = "<think>";
    private const string Close = "</think>";

    private readonly StringBuilder held = new();
    private Part part;

    /// <summary>Takes a text from its beginning.</summary>
    /// <param name="isOpen">The prompt ends with <c>&lt;think&gt;</c>, so that the text begins with thoughts.</param>
    public ReasoningSplitter(bool isOpen = false) => part = isOpen ? Part.BeforeThoughts : Part.Beginning;

    private enum Part
    {
        Beginning,
        BeforeThoughts,
        Thoughts,
        BeforeAnswer,
        Answer,
    }

    /// <summary>The text so far is thoughts, or may turn out to be.</summary>
    public bool IsReasoning => part is Part.BeforeThoughts or Part.Thoughts;

    /// <summary>Whether a prompt has begun the thoughts already, as some templates do.</summary>
    public static bool IsOpenAfter(ReadOnlySpan<char> prompt) => prompt.TrimEnd().EndsWith(Open, StringComparison.Ordinal);

    /// <summary>Takes more text; gives what is now sure of either.</summary>
    public (string Reasoning, string Answer) Push(ReadOnlySpan<char> text)
    {
        held.Append(text);
        return Take(isEnd: false);
    }

    /// <summary>Ends the text; gives what was still unsure.</summary>
    public (string Reasoning, string Answer) Finish() => Take(isEnd: true);

    private (string Reasoning, string Answer) Take(bool isEnd)
    {
        if (part == Part.Answer)
            return ("", Release(held.Length));
        var text = held.ToString();
        if (part == Part.Beginning)
        {
            var start = text.AsSpan().TrimStart();
            if (start.StartsWith(Open, StringComparison.Ordinal))
            {
                text = Drop(text.Length - start.Length + Open.Length);
                part = Part.BeforeThoughts;
            }
            else if (!isEnd && Open.StartsWith(start, StringComparison.Ordinal))
            {
                return ("", ""); // the rest of the mark may follow
            }
            else
            {
                part = Part.Answer;
                return ("", Release(held.Length));
            }
        }

        var reasoning = "";
        if (part is Part.BeforeThoughts)
        {
            text = Drop(text.Length - text.AsSpan().TrimStart().Length);
            if (text.Length > 0)
                part = Part.Thoughts;
        }

        if (part == Part.Thoughts)
        {
            var end = text.IndexOf(Close, StringComparison.Ordinal);
            var sure = end >= 0 ? end : isEnd ? text.Length : text.Length - MarkAtEnd(text);
            reasoning = text[..sure].TrimEnd();
            if (end < 0 && !isEnd)
            {
                Drop(reasoning.Length);
                return (reasoning, "");
            }

            text = Drop(end < 0 ? text.Length : end + Close.Length);
            part = Part.BeforeAnswer;
        }

        if (part == Part.BeforeAnswer)
        {
            text = Drop(text.Length - text.AsSpan().TrimStart().Length);
            if (text.Length > 0)
                part = Part.Answer;
        }

        return (reasoning, part == Part.Answer ? Release(held.Length) : "");
    }

    /// <summary>Length of the longest end of the text that the closing mark begins with.</summary>
    private static int MarkAtEnd(string text)
    {
        var length = Math.Min(text.Length, Close.Length - 1);
        while (!text.AsSpan(text.Length - length).SequenceEqual(Close.AsSpan(0, length)))
            length--;
        return length;
    }

    private string Drop(int length)
    {
        held.Remove(0, length);
        return held.ToString();
    }

    private string Release(int length)
    {
        var text = held.ToString(0, length);
        held.Remove(0, length);
        return text;
    }
}
