using System.Runtime.InteropServices;

namespace Weft.Tokenizers.Models;

/// <summary>
/// Remembers the ids of words, or of stretches that are not yet cut into words: those of natural text repeat. A word has two places, which the last two that came own, so that a hostile
/// text neither fills the memory nor locks the cache; an entry is replaced as a whole, so that threads share it without a lock.
/// </summary>
internal sealed class WordCache
{
    private const int Places = 1 << 16;
    private const int LongestWord = 48;

    private readonly Entry?[] entries = new Entry?[Places];

    /// <summary>Appends the ids of a word that is known.</summary>
    public bool TryAppend(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.Length > LongestWord)
            return false;
        var place = Place(word);
        if (entries[place] is not { } entry || !word.SequenceEqual(entry.Word))
        {
            entry = entries[place ^ 1];
            if (entry is null || !word.SequenceEqual(entry.Word))
                return false;
        }

        // Most words are one or two tokens, for which a copy costs more than it saves.
        if (entry.Ids.Length <= 2)
        {
            foreach (var id in entry.Ids)
                ids.Add(id);
        }
        else
        {
            ids.AddRange(entry.Ids);
        }

        return true;
    }

    /// <summary>Remembers the ids from <paramref name="first"/> on as the word's.</summary>
    public void Remember(ReadOnlySpan<char> word, List<int> ids, int first)
    {
        if (word.Length > LongestWord)
            return;
        var place = Place(word);
        // The one that came before moves to the second place.
        entries[place ^ 1] = entries[place];
        entries[place] = new(word.ToString(), [.. CollectionsMarshal.AsSpan(ids)[first..]]);
    }

    private static int Place(ReadOnlySpan<char> word) => (int)(TokenTable.Hash(MemoryMarshal.AsBytes(word)) & (Places - 1));

    private sealed record Entry(string Word, int[] Ids);
}
