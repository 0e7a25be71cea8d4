namespace Weft.Tokenizers.Models;

/// <summary>Turns words into ids. Thread-safe.</summary>
internal abstract class TokenModel
{
    private readonly WordCache cache = new();

    /// <summary>Builds the model of a description.</summary>
    public static TokenModel Create(TokenModelDescription description) => description.Kind switch
    {
        TokenModelKind.Unigram => new UnigramModel(description),
        TokenModelKind.WordPiece => new WordPieceModel(description),
        TokenModelKind.WordLevel => new WordLevelModel(description),
        TokenModelKind.LongestMatch => new LongestMatchModel(description),
        _ => new BpeModel(description),
    };

    /// <summary>Appends the ids of <paramref name="word"/>.</summary>
    /// <exception cref="WeftException">The word has no tokens and the vocabulary has none for unknown words.</exception>
    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        while (WordMark is { } mark && NextWord(word, mark) is > 0 and var end)
        {
            EncodeKnown(word[..end], ids);
            word = word[end..];
        }

        EncodeKnown(word, ids);
    }

    /// <summary>The character that every word begins with, where text comes uncut and no token reaches from one word into the next.</summary>
    protected virtual char? WordMark => null;

    /// <summary>Where the second word of a text begins; 0 when there is none.</summary>
    private static int NextWord(ReadOnlySpan<char> text, char mark)
    {
        var begun = text.IndexOfAnyExcept(mark);
        return begun < 0 ? 0 : text[begun..].IndexOf(mark) is > 0 and var length ? begun + length : 0;
    }

    private void EncodeKnown(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.IsEmpty || cache.TryAppend(word, ids))
            return;
        var first = ids.Count;
        EncodeWord(word, ids);
        cache.Remember(word, ids, first);
    }

    /// <summary>Appends the ids of a word that is not empty.</summary>
    protected abstract void EncodeWord(ReadOnlySpan<char> word, List<int> ids);
}
