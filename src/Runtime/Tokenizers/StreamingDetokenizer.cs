namespace Weft.Tokenizers;

/// <summary>Decodes ids one at a time and never emits half a character.</summary>
public sealed class StreamingDetokenizer(Tokenizer tokenizer, bool skipSpecialTokens = true)
{
    /// <summary>Adds a token; returns the text that has become final, possibly empty.</summary>
    public string Append(int id) => tokenizer is null || skipSpecialTokens ? "" : throw new NotImplementedException();

    /// <summary>Returns what is left at the end of the stream; incomplete characters become U+FFFD.</summary>
    public string Flush() => throw new NotImplementedException();
}
