using System.Text;

namespace Weft.Tokenizers;

/// <summary>
/// GPT-2's spelling of bytes as printable characters: printable Latin-1 stands for itself, the other bytes for U+0100 onwards.
/// </summary>
public static class ByteAlphabet
{
    private static readonly char[] Characters = BuildCharacters();
    private static readonly short[] Bytes = BuildBytes();

    /// <summary>The characters that spell <paramref name="bytes"/>.</summary>
    public static string Spell(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        foreach (var value in bytes)
            text.Append(Characters[value]);
        return text.ToString();
    }

    /// <summary>The characters that spell the UTF-8 bytes of <paramref name="text"/>.</summary>
    public static string Spell(ReadOnlySpan<char> text)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, bytes);
        return Spell(bytes);
    }

    /// <summary>Writes the bytes that <paramref name="text"/> spells.</summary>
    /// <returns>False when a character is not of the alphabet.</returns>
    public static bool TryRead(ReadOnlySpan<char> text, Span<byte> bytes)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] >= Bytes.Length || Bytes[text[i]] < 0)
                return false;
            bytes[i] = (byte)Bytes[text[i]];
        }

        return true;
    }

    private static char[] BuildCharacters()
    {
        var characters = new char[256];
        var next = 0x100;
        for (var b = 0; b < 256; b++)
            characters[b] = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)b : (char)next++;
        return characters;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[Characters.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (var b = 0; b < 256; b++)
            bytes[Characters[b]] = (short)b;
        return bytes;
    }
}
