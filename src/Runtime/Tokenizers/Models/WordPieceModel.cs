using System.Text;

namespace Weft.Tokenizers.Models;

/// <summary>The longest token that begins a word, then again for the rest with a prefix; all or nothing (BERT).</summary>
internal sealed class WordPieceModel : TokenModel
{
    private readonly TokenModelDescription description;
    private readonly ByteTrie trie;
    private readonly int continued;

    public WordPieceModel(TokenModelDescription description)
    {
        this.description = description;
        trie = new ByteTrie(new TokenTable(description.Tokens, description.ByteLevel, description.ControlTokens));
        foreach (var value in Encoding.UTF8.GetBytes(description.ContinuingPrefix ?? ""))
            continued = continued < 0 ? -1 : trie.Next(continued, value);
    }

    /// <inheritdoc/>
    protected override void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        using var utf8 = new Utf8Word(word);
        var bytes = utf8.Bytes;
        var first = ids.Count;
        for (var at = 0; at < bytes.Length;)
        {
            var (token, end) = IsTooLong(word) ? (-1, 0) : trie.LongestAt(at == 0 ? 0 : continued, bytes, at);
            if (token < 0)
            {
                ids.RemoveRange(first, ids.Count - first);
                ids.Add(description.Unknown ?? throw new WeftException("a word has no tokens, and the tokenizer has none for unknown words"));
                break;
            }

            ids.Add(token);
            at = end;
        }
    }

    private bool IsTooLong(ReadOnlySpan<char> word)
    {
        if (word.Length <= description.LongestWord)
            return false;
        var pairs = 0;
        foreach (var unit in word)
            pairs += char.IsHighSurrogate(unit) ? 1 : 0;
        return word.Length - pairs > description.LongestWord;
    }
}
