using System.Buffers;
using System.Runtime.InteropServices;

namespace Weft.Tokenizers;

/// <summary>
/// Merges neighbouring symbols, the pair of lowest rank first and the leftmost of equals, until none is left. Short words are scanned;
/// long ones, which tokenizers without words produce, go through a heap, so that the time grows as n·log n.
/// </summary>
internal sealed class PairMerger(Dictionary<long, (int Rank, int Id)> merges)
{
    private const int ScanLimit = 24;

    /// <summary>Merges in place; negative symbols never merge.</summary>
    /// <returns>How many symbols are left.</returns>
    public int Merge(Span<int> symbols) => symbols.Length <= ScanLimit ? Scan(symbols) : Heap(symbols);

    private int Scan(Span<int> symbols)
    {
        var count = symbols.Length;
        while (count > 1)
        {
            var best = (Rank: int.MaxValue, Id: 0);
            var at = -1;
            for (var i = 0; i + 1 < count; i++)
            {
                if (TryFind(symbols[i], symbols[i + 1], out var merge) && merge.Rank < best.Rank)
                    (best, at) = (merge, i);
            }

            if (at < 0)
                break;
            symbols[at] = best.Id;
            symbols[(at + 2)..count].CopyTo(symbols[(at + 1)..]);
            count--;
        }

        return count;
    }

    private int Heap(Span<int> symbols)
    {
        var count = symbols.Length;
        var links = ArrayPool<int>.Shared.Rent(2 * count);
        var previous = links.AsSpan(0, count);
        var next = links.AsSpan(count, count);
        var queue = new PriorityQueue<(int At, int Left, int Right, int Id), long>();
        for (var i = 0; i < count; i++)
        {
            previous[i] = i - 1;
            next[i] = i + 1 < count ? i + 1 : -1;
            Offer(queue, symbols, i, next[i]);
        }

        while (queue.TryDequeue(out var entry, out _))
        {
            var right = next[entry.At];
            if (right < 0 || symbols[entry.At] != entry.Left || symbols[right] != entry.Right)
                continue;
            symbols[entry.At] = entry.Id;
            symbols[right] = int.MinValue;
            next[entry.At] = next[right];
            if (next[right] >= 0)
                previous[next[right]] = entry.At;
            Offer(queue, symbols, previous[entry.At], entry.At);
            Offer(queue, symbols, entry.At, next[entry.At]);
        }

        var left = 0;
        for (var i = 0; i >= 0; i = next[i])
            symbols[left++] = symbols[i];
        ArrayPool<int>.Shared.Return(links);
        return left;
    }

    private void Offer(PriorityQueue<(int, int, int, int), long> queue, Span<int> symbols, int left, int right)
    {
        if (left >= 0 && right >= 0 && TryFind(symbols[left], symbols[right], out var merge))
            queue.Enqueue((left, symbols[left], symbols[right], merge.Id), ((long)merge.Rank << 32) | (uint)left);
    }

    private bool TryFind(int left, int right, out (int Rank, int Id) merge)
    {
        if (left < 0 || right < 0)
        {
            merge = default;
            return false;
        }

        ref var found = ref CollectionsMarshal.GetValueRefOrNullRef(merges, Key(left, right));
        var exists = !System.Runtime.CompilerServices.Unsafe.IsNullRef(ref found);
        merge = exists ? found : default;
        return exists;
    }

    /// <summary>The key of a pair of ids.</summary>
    public static long Key(int left, int right) => ((long)left << 32) | (uint)right;
}
