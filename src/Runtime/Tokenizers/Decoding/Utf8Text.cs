using System.Text;

namespace Weft.Tokenizers.Decoding;

/// <summary>Bytes as text, those that are no character as U+FFFD.</summary>
internal static class Utf8Text
{
    /// <summary>Reads bytes.</summary>
    /// <param name="bytes">Any bytes.</param>
    /// <param name="replaceEachByte">Whether each stray byte is a U+FFFD of its own, or as many as could begin a character are one.</param>
    public static string Read(ReadOnlySpan<byte> bytes, bool replaceEachByte)
    {
        if (!replaceEachByte || System.Text.Unicode.Utf8.IsValid(bytes))
            return Encoding.UTF8.GetString(bytes);
        var text = new StringBuilder(bytes.Length);
        while (!bytes.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(bytes, out var rune, out var length) == System.Buffers.OperationStatus.Done)
                text.Append(rune.ToString());
            else
                text.Append('\uFFFD', length);
            bytes = bytes[length..];
        }

        return text.ToString();
    }

    /// <summary>As many U+FFFD as there are bytes, unless all of them together are characters: null then.</summary>
    public static string? ReadRun(ReadOnlySpan<byte> bytes) => System.Text.Unicode.Utf8.IsValid(bytes) ? null : new string('\uFFFD', bytes.Length);
}
