namespace Weft.KvCache;

/// <summary>Names one block of the paged key/value cache: it holds slots Value·16 to Value·16 + 15 of every layer.</summary>
/// <param name="Value">Index of the block, from 0.</param>
public readonly record struct BlockId(int Value);

/// <summary>
/// Hands out the blocks of the paged key/value cache (Kwon et al. 2023, arXiv 2309.06180) and counts who holds each one. It knows
/// numbers only; the keys and values lie in the cache storage. A block is free when its count is zero. Whoever wants to keep one
/// beyond the sequence that filled it (a cache of prefixes) retains it like any other holder.
/// </summary>
/// <remarks>Not thread-safe: one scheduler owns it. Allocates nothing after construction.</remarks>
public sealed class BlockPool
{
    /// <summary>Tokens in a block.</summary>
    public const int BlockSize = 16;

    private readonly int[] references;
    private readonly int[] free; // a stack: the block released last is handed out first, while its lines are still in a cache

    /// <summary>Creates a pool of <paramref name="blocks"/> free blocks.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are no blocks, or so many that a slot number exceeds 31 bits.</exception>
    public BlockPool(int blocks)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blocks, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(blocks, int.MaxValue / BlockSize);
        references = new int[blocks];
        free = new int[blocks];
        for (var i = 0; i < blocks; i++)
            free[i] = blocks - 1 - i;
        FreeCount = blocks;
    }

    /// <summary>Blocks that nobody holds.</summary>
    public int FreeCount { get; private set; }

    /// <summary>All blocks.</summary>
    public int TotalCount => references.Length;

    /// <summary>Blocks that hold <paramref name="tokens"/> tokens.</summary>
    public static int BlocksFor(int tokens) => (int)(((uint)tokens + BlockSize - 1) / BlockSize);

    /// <summary>Takes a free block with a count of one.</summary>
    /// <returns>False when none is free.</returns>
    public bool TryAllocate(out BlockId block)
    {
        if (FreeCount == 0)
        {
            block = default;
            return false;
        }

        block = new BlockId(free[--FreeCount]);
        references[block.Value] = 1;
        return true;
    }

    /// <summary>Adds a holder to a block that is in use.</summary>
    /// <exception cref="InvalidOperationException">The block is free: its contents may be gone.</exception>
    public void Retain(BlockId block) => InUse(block)++;

    /// <summary>Removes a holder; the block becomes free with the last one.</summary>
    /// <exception cref="InvalidOperationException">The block is free already.</exception>
    public void Release(BlockId block)
    {
        if (--InUse(block) == 0)
            free[FreeCount++] = block.Value;
    }

    /// <summary>How many hold <paramref name="block"/>; 0 when it is free.</summary>
    public int ReferenceCount(BlockId block) => references[block.Value];

    private ref int InUse(BlockId block)
    {
        ref var count = ref references[block.Value];
        if (count == 0)
            throw new InvalidOperationException($"Block {block.Value} is free: it was released too often or used after its release.");
        return ref count;
    }
}
