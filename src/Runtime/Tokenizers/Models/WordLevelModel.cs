namespace Weft.Tokenizers.Models;

/// <summary>A word is a token or unknown.</summary>
internal sealed class WordLevelModel(TokenModelDescription description) : TokenModel
{
    private readonly TokenTable table = new(description.Tokens, description.ByteLevel, description.ControlTokens);

    /// <inheritdoc/>
    protected override void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        using var utf8 = new Utf8Word(word);
        var id = table.Find(utf8.Bytes);
        ids.Add(id >= 0 ? id : description.Unknown ?? throw new WeftException("a word has no token, and the tokenizer has none for unknown words"));
    }
}
