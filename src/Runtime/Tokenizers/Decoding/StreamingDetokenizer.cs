using System.Runtime.InteropServices;
using System.Text;
using Weft.Tokenizers.Decoding;

namespace Weft.Tokenizers;

/// <summary>
/// Decodes ids one at a time and never emits half a character: bytes at the end that are not a whole character, or none at all, wait
/// for what follows.
/// </summary>
public sealed class StreamingDetokenizer(Tokenizer tokenizer, bool skipSpecialTokens = true)
{
    private readonly Decoding.Decoder decoder = tokenizer.Decoder;
    private readonly List<byte> pending = [];
    private readonly List<int> all = [];
    private string shown = "";
    private bool first = true;
    private int strip = tokenizer.Decoder.StripLeft;

    /// <summary>Adds a token; returns the text that has become final, possibly empty.</summary>
    public string Append(int id)
    {
        if (!decoder.Counts(id, skipSpecialTokens))
            return "";
        if (!decoder.IsDirect)
        {
            all.Add(id);
            var text = decoder.Decode(CollectionsMarshal.AsSpan(all), skipSpecialTokens);
            return text.EndsWith('\uFFFD') ? "" : Show(text);
        }

        decoder.Append(id, ref first, pending);
        var span = CollectionsMarshal.AsSpan(pending);
        var end = EndOfLastCharacter(span);
        var characters = Utf8Text.Read(span[..end], decoder.HasByteFallback);
        pending.RemoveRange(0, end);
        return Strip(characters);
    }

    /// <summary>Returns what is left at the end of the stream; incomplete characters become U+FFFD.</summary>
    public string Flush()
    {
        if (!decoder.IsDirect)
            return Show(decoder.Decode(CollectionsMarshal.AsSpan(all), skipSpecialTokens));
        var text = Utf8Text.Read(CollectionsMarshal.AsSpan(pending), decoder.HasByteFallback);
        pending.Clear();
        return Strip(text);
    }

    private static int EndOfLastCharacter(ReadOnlySpan<byte> bytes)
    {
        for (var end = bytes.Length; end > 0;)
        {
            _ = Rune.DecodeLastFromUtf8(bytes[..end], out var rune, out var length);
            if (rune != Rune.ReplacementChar)
                return end;
            end -= length;
        }

        return 0;
    }

    /// <summary>What a longer text adds; a text that changed what was shown adds nothing.</summary>
    private string Show(string text)
    {
        if (!text.StartsWith(shown, StringComparison.Ordinal))
            return "";
        var added = text[shown.Length..];
        shown = text;
        return added;
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
