namespace Weft.Tokenizers.Models;

/// <summary>
/// Pairs of one text for SentencePiece's unused tokens: such a token is made, so that others can be made of it, and in the end taken apart
/// into the two that last would have made it anywhere in the text.
/// </summary>
internal sealed class UnusedPairs(IPairs pairs, TokenTable table, HashSet<int> unused) : IPairs
{
    // SentencePiece's own limit.
    private const int Deepest = 100;

    private readonly Dictionary<int, int> leftLengths = [];

    /// <inheritdoc/>
    public bool TryFind(int left, int right, ReadOnlySpan<byte> joint, out int rank, out int id)
    {
        if (!pairs.TryFind(left, right, joint, out rank, out id))
            return false;
        // What is no token has not been merged: it is a character.
        if (unused.Contains(id))
            leftLengths[id] = left >= 0 ? table[left].Length : Utf8Word.CharacterLength(joint, 0);
        return true;
    }

    /// <summary>Takes a token apart as far as it goes.</summary>
    /// <param name="text">Its bytes.</param>
    /// <returns>The ids of the parts, −1 for a character without a token, and where in the text they are; of any other text itself.</returns>
    public List<(int Id, Range Place)> TakeApart(ReadOnlySpan<byte> text)
    {
        var parts = new List<(int, Range)>();
        TakeApart(text, 0..text.Length, 0, parts);
        return parts;
    }

    private void TakeApart(ReadOnlySpan<byte> text, Range place, int depth, List<(int, Range)> parts)
    {
        var id = table.Find(text[place]);
        if (depth > Deepest || !unused.Contains(id) || !leftLengths.TryGetValue(id, out var left))
        {
            parts.Add((id, place));
            return;
        }

        var middle = place.Start.Value + left;
        TakeApart(text, place.Start..middle, depth + 1, parts);
        TakeApart(text, middle..place.End, depth + 1, parts);
    }
}
