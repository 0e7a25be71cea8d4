namespace Weft.Tokenizers;

/// <summary>Turns text into token ids and back.</summary>
public sealed class Tokenizer
{
    /// <summary>Builds a tokenizer from its description.</summary>
    public static Tokenizer Create(TokenizerDescription description) => throw new NotImplementedException();

    /// <summary>Encodes text.</summary>
    /// <param name="text">Any UTF-16 text; lone surrogates become U+FFFD.</param>
    /// <param name="addSpecialTokens">Adds what the post-processor adds (usually BOS).</param>
    public int[] Encode(string text, bool addSpecialTokens = true) => throw new NotImplementedException();

    /// <summary>Decodes ids into text.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => throw new NotImplementedException();
}
