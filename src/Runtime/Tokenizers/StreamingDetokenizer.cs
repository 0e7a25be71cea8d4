using System.Runtime.InteropServices;
using System.Text;

namespace Weft.Tokenizers;

/// <summary>
/// Decodes ids one at a time and never emits half a character: bytes at the end that are not a whole character, or none at all, wait
/// for what follows.
/// </summary>
public sealed class StreamingDetokenizer(Tokenizer tokenizer, bool skipSpecialTokens = true)
{
    private readonly List<byte> pending = [];
    private int strip = tokenizer.StripLeft;

    /// <summary>Adds a token; returns the text that has become final, possibly empty.</summary>
    public string Append(int id)
    {
        var bytes = tokenizer.Bytes(id, skipSpecialTokens);
        if (bytes.IsEmpty)
            return "";
        pending.AddRange(bytes);
        var span = CollectionsMarshal.AsSpan(pending);
        var end = EndOfLastCharacter(span);
        var text = Encoding.UTF8.GetString(span[..end]);
        pending.RemoveRange(0, end);
        return Strip(text);
    }

    /// <summary>Returns what is left at the end of the stream; incomplete characters become U+FFFD.</summary>
    public string Flush()
    {
        var text = Encoding.UTF8.GetString(CollectionsMarshal.AsSpan(pending));
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
