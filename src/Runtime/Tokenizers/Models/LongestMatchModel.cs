namespace Weft.Tokenizers.Models;

/// <summary>The longest token that fits, again and again (RWKV's world vocabulary). Bytes that begin no token are unknown.</summary>
internal sealed class LongestMatchModel(TokenModelDescription description) : TokenModel
{
    private readonly ByteTrie trie = new(new TokenTable(description.Tokens, description.ByteLevel, description.ControlTokens));

    /// <inheritdoc/>
    protected override void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        using var utf8 = new Utf8Word(word);
        var bytes = utf8.Bytes;
        for (var at = 0; at < bytes.Length;)
        {
            var (token, end) = trie.LongestAt(0, bytes, at);
            ids.Add(token >= 0 ? token : description.Unknown ?? throw new WeftException("a byte begins no token, and the tokenizer has none for unknown bytes"));
            at = token >= 0 ? end : at + 1;
        }
    }
}
