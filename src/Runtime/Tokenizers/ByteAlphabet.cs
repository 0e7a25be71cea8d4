namespace Weft.Tokenizers;

/// <summary>
/// GPT-2's spelling of bytes as printable characters: printable Latin-1 stands for itself, the other bytes for U+0100 onwards.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly Dictionary<char, byte> Bytes = Build();

    /// <summary>Bytes that <paramref name="text"/> spells, or null when it has a character outside the alphabet.</summary>
    public static byte[]? TryDecode(string text)
    {
        var bytes = new byte[text.Length];
        for (var i = 0; i < text.Length; i++)
        {
            if (!Bytes.TryGetValue(text[i], out bytes[i]))
                return null;
        }

        return bytes;
    }

    private static Dictionary<char, byte> Build()
    {
        var map = new Dictionary<char, byte>();
        var next = 0x100;
        for (var b = 0; b < 256; b++)
        {
            var printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            map.Add(printable ? (char)b : (char)next++, (byte)b);
        }

        return map;
    }
}
