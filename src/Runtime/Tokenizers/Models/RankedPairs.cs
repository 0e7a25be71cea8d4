using System.Buffers;
using System.Numerics;
using System.Security.Cryptography;

namespace Weft.Tokenizers.Models;

/// <summary>
/// Pairs of a list of merges. They are asked for more than anything else, and most that are asked for are none: one array, whose entries are
/// found by a multiplication. A dictionary's hash of a pair of ids is their exclusive or, with which a hundred pairs share a place.
/// </summary>
internal sealed class RankedPairs : IPairs
{
    // Files of strangers must not be able to choose pairs that share a place.
    private static readonly ulong Secret = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)) | 1;

    private readonly Entry[] entries;
    private readonly int shift;

    /// <summary>Reads the merges of a description.</summary>
    /// <exception cref="WeftException">A merge gives no token.</exception>
    public RankedPairs(TokenModelDescription description, TokenTable table)
    {
        var pairs = description.Merges!;
        var size = BitOperations.RoundUpToPowerOf2((uint)pairs.Count + 2); // half of it stays empty
        entries = new Entry[size];
        shift = 64 - BitOperations.Log2(size);
        var prefix = System.Text.Encoding.UTF8.GetByteCount(description.ContinuingPrefix ?? "");
        var joint = ArrayPool<byte>.Shared.Rent(2 * table.LongestToken);
        for (var i = 0; i + 1 < pairs.Count; i += 2)
        {
            var left = Token(table, pairs[i]);
            var right = Token(table, pairs[i + 1]);
            left.CopyTo(joint);
            right = right[Math.Min(prefix, right.Length)..];
            right.CopyTo(joint.AsSpan(left.Length));
            var id = table.Find(joint.AsSpan(0, left.Length + right.Length));
            if (id < 0)
                throw new WeftException($"the tokenizer merges '{description.Tokens[pairs[i]]}' and '{description.Tokens[pairs[i + 1]]}' into a token that it does not have");
            // As in the reference, of a pair that stands there twice the later place counts.
            var key = Key(pairs[i], pairs[i + 1]);
            entries[PlaceOf(key)] = new(key, i / 2, id);
        }

        ArrayPool<byte>.Shared.Return(joint);
    }

    /// <inheritdoc/>
    public bool TryFind(int left, int right, ReadOnlySpan<byte> joint, out int rank, out int id)
    {
        ref readonly var entry = ref entries[PlaceOf(Key(left, right))];
        (rank, id) = (entry.Rank, entry.Id);
        return entry.Key != 0;
    }

    // Ids are not negative, so that no key of a pair of tokens is 0; a symbol that is no token is in none of the entries.
    private static ulong Key(int left, int right) => ((ulong)(uint)(left + 1) << 32) | (uint)(right + 1);

    private static ReadOnlySpan<byte> Token(TokenTable table, int id) =>
        (uint)id < (uint)table.Count && table[id] is { IsEmpty: false } token
            ? token
            : throw new WeftException($"the tokenizer merges token {id}, which it does not have");

    /// <summary>Where a pair is, or the empty place where it would be.</summary>
    private int PlaceOf(ulong key)
    {
        var place = (int)((key * Secret) >> shift);
        while (entries[place].Key != key && entries[place].Key != 0)
            place = (place + 1) & (entries.Length - 1);
        return place;
    }

    private readonly record struct Entry(ulong Key, int Rank, int Id);
}
