using System.Buffers;
using System.Text;

namespace Weft.Tokenizers.Models;

/// <summary>The UTF-8 bytes of a word, in a buffer that goes back to its pool.</summary>
internal readonly ref struct Utf8Word
{
    private readonly byte[] buffer;
    private readonly int length;

    public Utf8Word(ReadOnlySpan<char> word)
    {
        buffer = ArrayPool<byte>.Shared.Rent(3 * word.Length);
        length = Encoding.UTF8.GetBytes(word, buffer);
    }

    /// <summary>The bytes.</summary>
    public ReadOnlySpan<byte> Bytes => buffer.AsSpan(0, length);

    /// <summary>Bytes of the character that begins at <paramref name="at"/>.</summary>
    public static int CharacterLength(ReadOnlySpan<byte> bytes, int at) => bytes[at] switch
    {
        < 0x80 => 1,
        < 0xE0 => 2,
        < 0xF0 => 3,
        _ => 4,
    };

    /// <summary>Gives the buffer back.</summary>
    public void Dispose() => ArrayPool<byte>.Shared.Return(buffer);
}
