using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace Weft.Tokenizers.Decoding;

/// <summary>The bytes of a text that grows by one token after another, of a decoder that is direct, and the text that they are.</summary>
internal sealed class DecodedBytes(Decoder decoder)
{
    private readonly List<byte> bytes = [];
    private int run = -1; // where the byte tokens begin that no other token has followed yet
    private bool first = true;

    /// <summary>Adds a token that counts.</summary>
    public void Append(int id)
    {
        var before = bytes.Count;
        var isByte = decoder.Append(id, ref first, bytes);
        if (!isByte)
            EndRun(before);
        else if (run < 0)
            run = before;
        // Also a token without a text ends a row of bytes.
        if (decoder is { HasByteFallback: true, ReplacesRuns: false } && bytes.Count == before)
            Settle();
    }

    /// <summary>
    /// Takes the text that can be shown: up to the last whole character, and of byte tokens in a row up to the first byte that is part of none.
    /// If that turns out to be an error, what the text has of this row before it are U+FFFD, too; what was shown remains.
    /// </summary>
    public string TakeFinal()
    {
        var span = CollectionsMarshal.AsSpan(bytes);
        if (!decoder.ReplacesRuns)
            return Take(EndOfLastCharacter(span));
        var end = run < 0 ? span.Length : run;
        while (end < span.Length && Rune.DecodeFromUtf8(span[end..], out _, out var length) == OperationStatus.Done)
            end += length;
        return Take(end);
    }

    /// <summary>Takes the rest at the end of the text; what is no character becomes U+FFFD.</summary>
    public string TakeRest()
    {
        EndRun(bytes.Count);
        return Take(bytes.Count);
    }

    /// <summary>Makes U+FFFD of bytes at the end that are no whole character.</summary>
    private void Settle()
    {
        var end = EndOfLastCharacter(CollectionsMarshal.AsSpan(bytes));
        var text = Utf8Text.Read(CollectionsMarshal.AsSpan(bytes)[end..], replaceEachByte: true);
        bytes.RemoveRange(end, bytes.Count - end);
        bytes.AddRange(Encoding.UTF8.GetBytes(text));
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

    private string Take(int end)
    {
        var text = Utf8Text.Read(CollectionsMarshal.AsSpan(bytes)[..end], decoder.HasByteFallback);
        bytes.RemoveRange(0, end);
        run = run < 0 ? run : Math.Max(run - end, 0);
        return text;
    }

    private void EndRun(int end)
    {
        if (decoder.ReplacesRuns && run >= 0 && Utf8Text.ReadRun(CollectionsMarshal.AsSpan(bytes)[run..end]) is { } replaced)
        {
            bytes.RemoveRange(run, end - run);
            bytes.InsertRange(run, Encoding.UTF8.GetBytes(replaced));
        }

        run = -1;
    }
}
