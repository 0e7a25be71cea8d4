namespace Weft.KvCache;

/// <summary>Names one block of the paged key/value cache: it holds slots Value·16 to Value·16 + 15 of every layer.</summary>
/// <param name="Value">Index of the block, from 0.</param>
public readonly record struct BlockId(int Value);

/// <summary>
/// Hands out the blocks of the paged key/value cache (Kwon et al. 2023, arXiv 2309.06180) and counts who holds each one. It knows
/// numbers only; the keys and values lie in the cache storage. A block is free when its count is zero.
/// </summary>
/// <remarks>
/// A block whose contents may be of use again (<see cref="Keep"/>) costs nobody a block: without a holder it is as free as any other, but is
/// handed out only when no other is left, the one released first before the others, and until then <see cref="Retain"/> takes it back with
/// its contents.
/// <para>Not thread-safe: one scheduler owns it. Allocates nothing after construction.</para>
/// </remarks>
public sealed class BlockPool
{
    /// <summary>Tokens in a block.</summary>
    public const int BlockSize = 16;

    private readonly int[] references;
    private readonly int[] free; // a stack: the block released last is handed out first, while its lines are still in a cache
    private readonly bool[] kept;

    // Free blocks that are kept, in the order of their release: a ring through the entry after the last block.
    private readonly int[] next;
    private readonly int[] previous;
    private int freeCount;

    /// <summary>Creates a pool of <paramref name="blocks"/> free blocks.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are no blocks, or so many that a slot number exceeds 31 bits.</exception>
    public BlockPool(int blocks)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(blocks, int.MaxValue / BlockSize);
        references = new int[blocks];
        kept = new bool[blocks];
        free = new int[blocks];
        for (var i = 0; i < blocks; i++)
            free[i] = blocks - 1 - i;
        freeCount = blocks;
        next = new int[blocks + 1];
        previous = new int[blocks + 1];
        next[blocks] = previous[blocks] = blocks;
    }

    /// <summary>Blocks that nobody holds, kept ones included.</summary>
    public int FreeCount => freeCount + KeptFreeCount;

    /// <summary>Blocks that nobody holds and whose contents may be of use again.</summary>
    public int KeptFreeCount { get; private set; }

    /// <summary>All blocks.</summary>
    public int TotalCount => references.Length;

    /// <summary>Told of a kept block that is handed out for other contents.</summary>
    internal Action<BlockId>? Overwritten { get; set; }

    /// <summary>Blocks that hold <paramref name="tokens"/> tokens.</summary>
    public static int BlocksFor(int tokens) => (int)(((uint)tokens + BlockSize - 1) / BlockSize);

    /// <summary>Takes a free block with a count of one.</summary>
    /// <returns>False when none is free.</returns>
    public bool TryAllocate(out BlockId block)
    {
        block = default;
        if (freeCount > 0)
        {
            block = new BlockId(free[--freeCount]);
        }
        else if (KeptFreeCount > 0)
        {
            block = new BlockId(next[TotalCount]);
            Forget(block);
            freeCount--;
            Overwritten?.Invoke(block);
        }
        else
        {
            return false;
        }

        references[block.Value] = 1;
        return true;
    }

    /// <summary>Adds a holder to a block that is in use or kept.</summary>
    /// <exception cref="InvalidOperationException">The block is free: its contents may be gone.</exception>
    public void Retain(BlockId block)
    {
        if (kept[block.Value] && references[block.Value] == 0)
        {
            Unlink(block);
            references[block.Value] = 1;
            return;
        }

        InUse(block)++;
    }

    /// <summary>Removes a holder; the block becomes free with the last one.</summary>
    /// <exception cref="InvalidOperationException">The block is free already.</exception>
    public void Release(BlockId block)
    {
        if (--InUse(block) > 0)
            return;
        if (kept[block.Value])
            Link(block);
        else
            free[freeCount++] = block.Value;
    }

    /// <summary>Says that a block in use holds something that may be looked for when it is free.</summary>
    /// <exception cref="InvalidOperationException">The block is free.</exception>
    public void Keep(BlockId block)
    {
        _ = InUse(block);
        kept[block.Value] = true;
    }

    /// <summary>Takes back <see cref="Keep"/>.</summary>
    public void Forget(BlockId block)
    {
        if (!kept[block.Value])
            return;
        kept[block.Value] = false;
        if (references[block.Value] > 0)
            return;
        Unlink(block);
        free[freeCount++] = block.Value;
    }

    /// <summary>How many hold <paramref name="block"/>; 0 when it is free.</summary>
    public int ReferenceCount(BlockId block) => references[block.Value];

    private void Link(BlockId block)
    {
        var (value, end) = (block.Value, TotalCount);
        (previous[value], next[value]) = (previous[end], end);
        next[previous[end]] = value;
        previous[end] = value;
        KeptFreeCount++;
    }

    private void Unlink(BlockId block)
    {
        var value = block.Value;
        next[previous[value]] = next[value];
        previous[next[value]] = previous[value];
        KeptFreeCount--;
    }

    private ref int InUse(BlockId block)
    {
        ref var count = ref references[block.Value];
        if (count == 0)
            throw new InvalidOperationException($"Block {block.Value} is free: it was released too often or used after its release.");
        return ref count;
    }
}
