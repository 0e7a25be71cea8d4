namespace Weft.Convert.Tests.Tokenizers;

/// <summary>What a stream has to be.</summary>
internal static class Streams
{
    /// <summary>
    /// A stream is the text, but for characters of single bytes that it showed before a wrong byte made the text's U+FFFD, one a byte: as the
    /// library's own streams it takes nothing back. A space that a decoder drops from the beginning of a text is such a character, of which nothing is seen.
    /// </summary>
    public static void AssertSame(string streamed, string text) =>
        Assert.That(IsStream(streamed, text) || (text.StartsWith('\uFFFD') && IsStream(streamed, text[1..])), $"'{streamed}' is no stream of '{text}'");

    private static bool IsStream(string streamed, string text)
    {
        var rest = text.AsSpan();
        foreach (var rune in streamed.EnumerateRunes())
        {
            var characters = rune.ToString();
            var bytes = new string('\uFFFD', rune.Utf8SequenceLength);
            var found = rest.StartsWith(characters) ? characters.Length : rest.StartsWith(bytes) ? bytes.Length : 0;
            if (found == 0)
                return false;
            rest = rest[found..];
        }

        return rest.IsEmpty;
    }
}
