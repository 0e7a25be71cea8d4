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
        if (word.IsEmpty || cache.TryAppend(word, ids))
            return;
        var first = ids.Count;
        EncodeWord(word, ids);
        cache.Remember(word, ids, first);
    }

    /// <summary>Appends the ids of a word that is not empty.</summary>
    protected abstract void EncodeWord(ReadOnlySpan<char> word, List<int> ids);
}
