using System.Runtime.InteropServices;
using Weft.Tokenizers.Decoding;

namespace Weft.Tokenizers;

/// <summary>
/// Decodes ids one at a time and never takes back what it emitted: bytes at the end that are not a whole character, or none at all, wait
/// for what follows.
/// </summary>
public sealed class StreamingDetokenizer(Tokenizer tokenizer, bool skipSpecialTokens = true)
{
    private readonly Decoding.Decoder decoder = tokenizer.Decoder;
    private readonly DecodedBytes bytes = new(tokenizer.Decoder);
    private readonly List<int> all = [];
    private string shown = "";
    private int strip = tokenizer.Decoder.StripLeft;

    /// <summary>Adds a token; returns the text that has become final, possibly empty.</summary>
    public string Append(int id)
    {
        if (!decoder.Counts(id, skipSpecialTokens))
            return "";
        if (!decoder.IsDirect)
        {
            all.Add(id);
            var text = decoder.Beginning(CollectionsMarshal.AsSpan(all), skipSpecialTokens);
            return text.EndsWith('\uFFFD') || text.Length <= shown.Length ? "" : Show(text);
        }

        bytes.Append(id);
        return Strip(bytes.TakeFinal());
    }

    /// <summary>Returns what is left at the end of the stream; incomplete characters become U+FFFD.</summary>
    public string Flush() => decoder.IsDirect ? Strip(bytes.TakeRest()) : Show(decoder.Decode(CollectionsMarshal.AsSpan(all), skipSpecialTokens));

    /// <summary>What a text has beyond the one that was shown before, also where it changed that one.</summary>
    private string Show(string text)
    {
        var from = Math.Min(shown.Length, text.Length);
        if (from < text.Length && char.IsLowSurrogate(text[from]) && from > 0 && char.IsHighSurrogate(text[from - 1]))
            from++;
        shown = text;
        return text[from..];
    }

    private string Strip(string text)
    {
        if (text.Length == 0 || strip == 0)
            return text;
        var dropped = 0;
        while (dropped < strip && dropped < text.Length && text[dropped] == ' ')
            dropped++;
        strip = dropped == text.Length ? strip - dropped : 0;
        return text[dropped..];
    }
}
