using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Weft.Tokenizers.Normalization;

/// <summary>
/// SentencePiece's precompiled_charsmap: u32 length of a double-array trie (Aoe 1989, in the layout of Darts-clone), the trie, and the texts
/// that its values point into, each ended by a zero byte. It maps texts of one or a few characters to others.
/// </summary>
internal sealed class CharacterMap
{
    // Longer clusters are taken apart without being looked up; the library that this follows does so.
    private const int LongestCluster = 5;

    // Far beyond what any table has: the longest that Unicode's forms make of one character are 33 bytes.
    private const int LongestEntry = 256;

    private readonly uint[] units;
    private readonly byte[] replacements;
    private readonly TextMatcher untouched;

    /// <summary>Reads the table.</summary>
    /// <exception cref="WeftException">It is damaged.</exception>
    public CharacterMap(string base64, IReadOnlyList<string> untouched)
    {
        this.untouched = new TextMatcher(untouched);
        var bytes = new byte[base64.Length];
        if (!Convert.TryFromBase64String(base64, bytes, out var length))
            throw new WeftException("the tokenizer's character map is not Base64");
        var table = bytes.AsSpan(0, length);
        if (table.IsEmpty)
        {
            (units, replacements) = ([], []);
            return;
        }

        var trie = length < 4 ? uint.MaxValue : BinaryPrimitives.ReadUInt32LittleEndian(table);
        if (trie > length - 4 || trie % 4 != 0)
            throw new WeftException("the tokenizer's character map is damaged: its trie does not fit into it");
        units = new uint[trie / 4];
        for (var i = 0; i < units.Length; i++)
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(table[(4 + (4 * i))..]);
        replacements = table[(4 + (int)trie)..].ToArray();
    }

    /// <summary>SentencePiece's way: the longest entry that begins here is replaced, else the character stays.</summary>
    public string ReplaceLongest(string text)
    {
        var result = new StringBuilder(text.Length);
        ForEachPart(text, part => result.Append(part));
        return result.ToString();
    }

    /// <summary>The same without spaces at the ends, and one where there were several. What is replaced or left whole counts as one character: only its first spaces go, after another.</summary>
    /// <param name="text">The text.</param>
    /// <param name="mark">Another spelling of a space, taken off at the end.</param>
    public string ReplaceAndCollapse(string text, string? mark)
    {
        var result = new StringBuilder(text.Length);
        var (begun, afterSpace) = (false, true);
        ForEachPart(text, part =>
        {
            begun |= part is not " ";
            if (!begun)
                return;
            if (afterSpace)
                part = part.TrimStart(' ');
            result.Append(part);
            afterSpace = part.Length > 0 ? part[^1] == ' ' : afterSpace;
        });
        return result.ToString().TrimEnd([' ', .. mark ?? ""]);
    }

    /// <summary>
    /// The way of Hugging Face's library: a short cluster (what a reader sees as one character) that an entry begins is replaced whole by the
    /// shortest such entry; else each of its characters is looked up alone.
    /// </summary>
    public string ReplaceClusters(string text)
    {
        var result = new StringBuilder(text.Length);
        Span<byte> bytes = stackalloc byte[8];
        for (var at = 0; at < text.Length;)
        {
            var cluster = text.AsSpan(at, StringInfo.GetNextTextElementLength(text, at));
            at += cluster.Length;
            if (cluster.Length <= LongestCluster && Encoding.UTF8.GetByteCount(cluster) <= LongestCluster && TryReplace(cluster, bytes, result))
                continue;
            while (!cluster.IsEmpty)
            {
                Rune.DecodeFromUtf16(cluster, out _, out var length);
                if (!TryReplace(cluster[..length], bytes, result))
                    result.Append(cluster[..length]);
                cluster = cluster[length..];
            }
        }

        return result.ToString();
    }

    /// <summary>Goes through a text from entry to entry, and where there is none from character to character.</summary>
    private void ForEachPart(string text, PartTaker take)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Span<char> replacement = stackalloc char[LongestEntry];
        for (var (at, units) = (0, 0); at < bytes.Length;)
        {
            var (length, taken) = (untouched.LongestAt(text, units) ?? 0, 0);
            if (length > 0)
            {
                taken = Encoding.UTF8.GetByteCount(text.AsSpan(units, length));
                take(text.AsSpan(units, length));
            }
            else if (Find(bytes.AsSpan(at), longest: true) is { Length: > 0 } found && !IsInside(bytes, at + found.Length))
            {
                taken = found.Length;
                length = Encoding.UTF8.GetCharCount(bytes, at, taken);
                take(replacement[..Encoding.UTF8.GetChars(Replacement(found.Value), replacement)]);
            }
            else
            {
                taken = Models.Utf8Word.CharacterLength(bytes, at);
                length = taken == 4 ? 2 : 1;
                take(text.AsSpan(units, length));
            }

            at += taken;
            units += length;
        }
    }

    private bool TryReplace(ReadOnlySpan<char> part, Span<byte> bytes, StringBuilder result)
    {
        var found = Find(bytes[..Encoding.UTF8.GetBytes(part, bytes)], longest: false);
        if (found.Length > 0)
            result.Append(Encoding.UTF8.GetString(Replacement(found.Value)));
        return found.Length > 0;
    }

    /// <summary>The entry that begins <paramref name="bytes"/>: its length, 0 when there is none, and its value.</summary>
    private (int Length, int Value) Find(ReadOnlySpan<byte> bytes, bool longest)
    {
        var found = (Length: 0, Value: 0);
        if (units.Length == 0)
            return found;
        var node = Offset(units[0]);
        // A damaged trie may lead in a circle.
        for (var i = 0; i < Math.Min(bytes.Length, LongestEntry); i++)
        {
            node ^= bytes[i];
            if (node >= units.Length || (units[node] & 0x800000FF) != bytes[i])
                break;
            var unit = units[node];
            node ^= Offset(unit);
            if ((unit >> 8 & 1) == 0)
                continue;
            if (node >= units.Length)
                break;
            found = (i + 1, (int)(units[node] & 0x7FFFFFFF));
            if (!longest)
                break;
        }

        return found;
    }

    /// <summary>Whether a place is inside of a character, where a damaged entry may end.</summary>
    private static bool IsInside(byte[] bytes, int at) => at < bytes.Length && (bytes[at] & 0xC0) == 0x80;

    private delegate void PartTaker(ReadOnlySpan<char> part);

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);

    private ReadOnlySpan<byte> Replacement(int value)
    {
        var rest = value < replacements.Length ? replacements.AsSpan(value) : [];
        var end = rest[..Math.Min(rest.Length, LongestEntry)].IndexOf((byte)0);
        if (end < 0 && rest.Length > LongestEntry)
            throw new WeftException("the tokenizer's character map is damaged: a replacement has no end");
        return end < 0 ? rest : rest[..end];
    }
}
