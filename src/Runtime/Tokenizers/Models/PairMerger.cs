using System.Buffers;

namespace Weft.Tokenizers.Models;

/// <summary>Which neighbours merge.</summary>
internal interface IPairs
{
    /// <summary>Finds what two neighbouring symbols become.</summary>
    /// <param name="left">Id of the left symbol, negative when it is no token.</param>
    /// <param name="right">Id of the right one.</param>
    /// <param name="joint">The bytes of both.</param>
    /// <param name="rank">The lowest of a word goes first.</param>
    /// <param name="id">The token that they become.</param>
    bool TryFind(int left, int right, ReadOnlySpan<byte> joint, out int rank, out int id);
}

/// <summary>
/// Merges neighbouring symbols, the pair of lowest rank first and the leftmost of equals, until none is left. Short words are scanned;
/// long ones, which tokenizers without words produce, go through a heap, so that the time grows as n·log n.
/// </summary>
internal sealed class PairMerger(IPairs pairs)
{
    private const int ScanLimit = 48;

    /// <summary>Merges in place.</summary>
    /// <param name="symbols">Ids, negative for what is no token.</param>
    /// <param name="starts">Where each symbol begins in <paramref name="bytes"/>.</param>
    /// <param name="bytes">The word.</param>
    /// <returns>How many symbols are left.</returns>
    public int Merge(Span<int> symbols, Span<int> starts, ReadOnlySpan<byte> bytes) =>
        symbols.Length <= ScanLimit ? Scan(symbols, starts, bytes) : Heap(symbols, starts, bytes);

    private int Scan(Span<int> symbols, Span<int> starts, ReadOnlySpan<byte> bytes)
    {
        var count = symbols.Length;
        Span<int> ranks = stackalloc int[ScanLimit];
        Span<int> results = stackalloc int[ScanLimit];
        for (var i = 0; i + 1 < count; i++)
            Rank(i, symbols, starts, bytes, count, ranks, results);
        while (count > 1)
        {
            var at = 0;
            for (var i = 1; i + 1 < count; i++)
            {
                if (ranks[i] < ranks[at])
                    at = i;
            }

            if (ranks[at] == int.MaxValue)
                break;
            symbols[at] = results[at];
            symbols[(at + 2)..count].CopyTo(symbols[(at + 1)..]);
            starts[(at + 2)..count].CopyTo(starts[(at + 1)..]);
            ranks[(at + 2)..count].CopyTo(ranks[(at + 1)..]);
            results[(at + 2)..count].CopyTo(results[(at + 1)..]);
            count--;
            if (at > 0)
                Rank(at - 1, symbols, starts, bytes, count, ranks, results);
            if (at + 1 < count)
                Rank(at, symbols, starts, bytes, count, ranks, results);
        }

        return count;
    }

    private void Rank(int at, Span<int> symbols, Span<int> starts, ReadOnlySpan<byte> bytes, int count, Span<int> ranks, Span<int> results)
    {
        var end = at + 2 < count ? starts[at + 2] : bytes.Length;
        if (!pairs.TryFind(symbols[at], symbols[at + 1], bytes[starts[at]..end], out ranks[at], out results[at]))
            ranks[at] = int.MaxValue;
    }

    private int Heap(Span<int> symbols, Span<int> starts, ReadOnlySpan<byte> bytes)
    {
        var count = symbols.Length;
        var links = ArrayPool<int>.Shared.Rent(3 * count);
        var previous = links.AsSpan(0, count);
        var next = links.AsSpan(count, count);
        var ends = links.AsSpan(2 * count, count);
        var queue = new PriorityQueue<(int At, int LeftEnd, int RightEnd, int Id), long>();
        for (var i = 0; i < count; i++)
        {
            previous[i] = i - 1;
            next[i] = i + 1 < count ? i + 1 : -1;
            ends[i] = i + 1 < count ? starts[i + 1] : bytes.Length;
        }

        for (var i = 0; i < count; i++)
            Offer(queue, symbols, starts, ends, bytes, i, next[i]);
        while (queue.TryDequeue(out var entry, out _))
        {
            // A symbol that has grown since ends elsewhere, one that is gone nowhere.
            var right = ends[entry.At] == entry.LeftEnd ? next[entry.At] : -1;
            if (right < 0 || ends[right] != entry.RightEnd)
                continue;
            symbols[entry.At] = entry.Id;
            ends[entry.At] = ends[right];
            ends[right] = -1;
            next[entry.At] = next[right];
            if (next[right] >= 0)
                previous[next[right]] = entry.At;
            Offer(queue, symbols, starts, ends, bytes, previous[entry.At], entry.At);
            Offer(queue, symbols, starts, ends, bytes, entry.At, next[entry.At]);
        }

        var left = 0;
        for (var i = 0; i >= 0; i = next[i])
            (symbols[left], starts[left++]) = (symbols[i], starts[i]);
        ArrayPool<int>.Shared.Return(links);
        return left;
    }

    private void Offer(
        PriorityQueue<(int, int, int, int), long> queue, Span<int> symbols, Span<int> starts, Span<int> ends, ReadOnlySpan<byte> bytes, int left, int right)
    {
        if (left >= 0 && right >= 0 && pairs.TryFind(symbols[left], symbols[right], bytes[starts[left]..ends[right]], out var rank, out var id))
            queue.Enqueue((left, ends[left], ends[right], id), ((long)rank << 32) | (uint)left);
    }
}
