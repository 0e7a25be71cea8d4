using System.Buffers;

namespace Weft.Tokenizers.Models;

/// <summary>Pairs of a list of merges.</summary>
internal sealed class RankedPairs : IPairs
{
    private readonly Dictionary<long, (int Rank, int Id)> merges;

    /// <summary>Reads the merges of a description.</summary>
    /// <exception cref="WeftException">A merge gives no token.</exception>
    public RankedPairs(TokenModelDescription description, TokenTable table)
    {
        var pairs = description.Merges!;
        merges = new(pairs.Count / 2);
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
            merges[Key(pairs[i], pairs[i + 1])] = (i / 2, id);
        }

        ArrayPool<byte>.Shared.Return(joint);
    }

    /// <inheritdoc/>
    public bool TryFind(int left, int right, ReadOnlySpan<byte> joint, out int rank, out int id)
    {
        var found = merges.TryGetValue(Key(left, right), out var merge);
        (rank, id) = merge;
        return found;
    }

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    private static ReadOnlySpan<byte> Token(TokenTable table, int id) =>
        (uint)id < (uint)table.Count && table[id] is { IsEmpty: false } token
            ? token
            : throw new WeftException($"the tokenizer merges token {id}, which it does not have");
}
