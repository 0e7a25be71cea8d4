using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Weft.Tokenizers.Models;

/// <summary>
/// The tokens of a vocabulary as bytes, found by their bytes. One array of bytes and one of places: a vocabulary of 150,000 is built in
/// milliseconds and needs no object a token.
/// </summary>
internal sealed class TokenTable
{
    // Vocabularies come from files of strangers: without a secret, one could be made whose tokens all meet in one place.
    private static readonly ulong Secret = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8)) | 1;

    private readonly byte[] bytes;
    private readonly int[] starts;
    private readonly int[] slots;

    /// <summary>Builds the table.</summary>
    /// <param name="tokens">Texts by id.</param>
    /// <param name="byteLevel">Whether they are spelt in the byte alphabet; those that are not are never found.</param>
    /// <param name="left">Ids that are never found.</param>
    public TokenTable(IReadOnlyList<string?> tokens, bool byteLevel, IReadOnlyList<int> left)
    {
        var hidden = left.Count == 0 ? null : left.ToHashSet();
        // Ids may lie far apart; only what is there takes room.
        var count = tokens.Count(token => token is not null);
        var buffer = new byte[8 * count];
        var end = 0;
        starts = new int[tokens.Count + 1];
        slots = new int[BitOperations.RoundUpToPowerOf2((uint)(2 * count) + 2)];
        for (var id = 0; id < tokens.Count; id++)
        {
            starts[id] = end;
            starts[id + 1] = end;
            if (tokens[id] is not { } token || hidden?.Contains(id) == true)
                continue;
            if (buffer.Length - end < 3 * token.Length)
                Array.Resize(ref buffer, Math.Max(2 * buffer.Length, end + (3 * token.Length)));
            if (byteLevel)
            {
                if (!ByteAlphabet.TryRead(token, buffer.AsSpan(end)))
                    continue;
                end += token.Length;
            }
            else
            {
                end += Encoding.UTF8.GetBytes(token, buffer.AsSpan(end));
            }

            starts[id + 1] = end;
            LongestToken = Math.Max(LongestToken, end - starts[id]);
            Add(buffer.AsSpan(starts[id]..end), buffer, id);
        }

        bytes = buffer;
    }

    /// <summary>How many ids there are.</summary>
    public int Count => starts.Length - 1;

    /// <summary>Bytes of the longest token.</summary>
    public int LongestToken { get; }

    /// <summary>The bytes of a token; none where it is never found.</summary>
    public ReadOnlySpan<byte> this[int id] => bytes.AsSpan(starts[id]..starts[id + 1]);

    /// <summary>The lowest id whose token has these bytes, or −1.</summary>
    public int Find(ReadOnlySpan<byte> token)
    {
        if (token.IsEmpty || token.Length > LongestToken)
            return -1;
        for (var slot = Hash(token);; slot++)
        {
            var id = slots[(int)slot & (slots.Length - 1)] - 1;
            if (id < 0 || token.SequenceEqual(bytes.AsSpan(starts[id]..starts[id + 1])))
                return id;
        }
    }

    /// <summary>A hash of bytes, another in every process.</summary>
    public static uint Hash(ReadOnlySpan<byte> token)
    {
        var hash = Secret ^ (ulong)token.Length;
        while (token.Length >= 8)
        {
            hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(token));
            token = token[8..];
        }

        var rest = 0ul;
        foreach (var value in token)
            rest = (rest << 8) | value;
        return (uint)(Mix(hash ^ rest) >> 32);
    }

    private static ulong Mix(ulong value)
    {
        var high = Math.BigMul(value, Secret * 0x9E3779B97F4A7C15, out var low);
        return high ^ low;
    }

    private void Add(ReadOnlySpan<byte> token, byte[] buffer, int id)
    {
        if (token.IsEmpty)
            return;
        for (var slot = Hash(token);; slot++)
        {
            ref var place = ref slots[(int)slot & (slots.Length - 1)];
            if (place == 0)
            {
                place = id + 1;
                return;
            }

            if (token.SequenceEqual(buffer.AsSpan(starts[place - 1]..starts[place])))
                return;
        }
    }
}
