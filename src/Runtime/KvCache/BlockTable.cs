namespace Weft.KvCache;

/// <summary>Asks the cache storage to copy a block's keys and values of every layer.</summary>
/// <param name="Source">Block to read.</param>
/// <param name="Destination">Block to write.</param>
/// <param name="Tokens">Slots in use from the block's start, 1 to 15; the others need not be copied.</param>
public readonly record struct BlockCopy(BlockId Source, BlockId Destination, int Tokens);

/// <summary>
/// Which blocks hold a sequence's keys and values: position t lies in slot Blocks[t / 16]·16 + t mod 16.
/// </summary>
/// <remarks>
/// Blocks are shared by copy on write. <see cref="Fork"/> shares all of them, also the partly filled last one, and costs no memory.
/// Positions are only ever written by growing, and <see cref="TryExtend"/> makes the one block that growing can find shared (the
/// partly filled last one, after a fork or a truncation into shared blocks) this table's own. So there is one place that copies, the
/// last holder of a block never copies, and two tables never write the same block.
/// <para>
/// Where a model has recurrent blocks, the sequence also holds a slot of the <see cref="StatePool"/> as long as it has tokens. A state cannot be cut:
/// such a table is forked never, and truncated to nothing or before it was first extended.
/// </para>
/// <para>Not thread-safe. Growing allocates no memory: the list of blocks is made for the longest sequence.</para>
/// </remarks>
public sealed class BlockTable : IDisposable
{
    private readonly BlockPool pool;
    private readonly StatePool? states;
    private readonly int[] blocks;
    private int count;
    private bool disposed;
    private int? restored;

    /// <summary>Creates the table of an empty sequence.</summary>
    /// <param name="pool">Where blocks come from.</param>
    /// <param name="maxTokens">Tokens of the longest sequence, at least 1.</param>
    /// <param name="states">Where its state's slot comes from; null for a model without recurrent blocks.</param>
    public BlockTable(BlockPool pool, int maxTokens, StatePool? states = null)
    {
        ArgumentNullException.ThrowIfNull(pool);
        this.states = states;
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, 1);
        this.pool = pool;
        MaxTokens = maxTokens;
        blocks = new int[BlockPool.BlocksFor(maxTokens)];
    }

    /// <summary>Tokens of the longest sequence.</summary>
    public int MaxTokens { get; }

    /// <summary>T: tokens covered, positions 0 to T − 1.</summary>
    public int Length { get; private set; }

    /// <summary>Slot of its state, or −1 while it has none.</summary>
    public int StateSlot { get; private set; } = -1;

    /// <summary>[ceil(T / 16)] block numbers in the order of the positions.</summary>
    public ReadOnlySpan<int> Blocks => blocks.AsSpan(0, count);

    /// <summary>The slot of a covered position.</summary>
    public int Slot(int position)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)position, (uint)Length);
        return (blocks[position / BlockPool.BlockSize] * BlockPool.BlockSize) + (position % BlockPool.BlockSize);
    }

    /// <summary>Grows to <paramref name="tokens"/> tokens; positions from the old length on may then be written by this table.</summary>
    /// <param name="tokens">The new length, from <see cref="Length"/> to <see cref="MaxTokens"/>.</param>
    /// <param name="copy">
    /// The copy that the storage must make, or null. Copies are made in the order they were asked for and before anything is written
    /// for any sequence: the source may already belong to another one.
    /// </param>
    /// <returns>False when the pool has too few free blocks; nothing has changed then.</returns>
    public bool TryExtend(int tokens, out BlockCopy? copy)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        ArgumentOutOfRangeException.ThrowIfLessThan(tokens, Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens, MaxTokens);
        copy = null;
        var filled = Length % BlockPool.BlockSize;
        var shared = tokens > Length && filled > 0 && pool.ReferenceCount(new BlockId(blocks[count - 1])) > 1;
        var needed = BlockPool.BlocksFor(tokens);
        if (needed - count + (shared ? 1 : 0) > pool.FreeCount || (states is not null && StateSlot < 0 && states.FreeCount == 0))
            return false;
        if (states is not null && StateSlot < 0 && states.TryTake(out var slot))
            StateSlot = slot;

        if (shared)
        {
            var source = new BlockId(blocks[count - 1]);
            var own = Allocate();
            pool.Release(source);
            blocks[count - 1] = own.Value;
            copy = new BlockCopy(source, own, filled);
        }

        while (count < needed)
            blocks[count++] = Allocate().Value;
        Length = tokens;
        return true;
    }

    /// <summary>Lengthens a table of whole blocks by one that already holds the next sixteen tokens, and holds it too.</summary>
    /// <param name="block">A block in use or kept.</param>
    public void Adopt(BlockId block)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        ArgumentOutOfRangeException.ThrowIfNotEqual(Length % BlockPool.BlockSize, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Length + BlockPool.BlockSize, MaxTokens);
        pool.Retain(block);
        blocks[count++] = block.Value;
        Length += BlockPool.BlockSize;
    }

    /// <summary>The tokens adopted are continued from a snapshot of their state.</summary>
    public void Restore(int snapshot) => restored = snapshot;

    /// <summary>The slot in which the next step finds the state: a snapshot's the first time, if it was restored, then its own.</summary>
    public int TakeStateSource()
    {
        var source = restored ?? StateSlot;
        restored = null;
        return source;
    }

    /// <summary>A second table over the same tokens, sharing every block; it must be disposed on its own.</summary>
    public BlockTable Fork()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (states is not null)
            throw new NotSupportedException("A state cannot be shared.");
        var fork = new BlockTable(pool, MaxTokens) { Length = Length, count = count };
        Blocks.CopyTo(fork.blocks);
        foreach (var block in Blocks)
            pool.Retain(new BlockId(block));
        return fork;
    }

    /// <summary>Forgets the positions from <paramref name="tokens"/> on and gives back the blocks that only they used.</summary>
    /// <param name="tokens">The new length, 0 to <see cref="Length"/>.</param>
    public void Truncate(int tokens)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(tokens, Length);
        if (StateSlot >= 0 && tokens > 0 && tokens < Length)
            throw new NotSupportedException("A state cannot go back.");
        while (count > BlockPool.BlocksFor(tokens))
            pool.Release(new BlockId(blocks[--count]));
        Length = tokens;
        if (tokens > 0)
            return;
        restored = null;
        if (StateSlot >= 0)
            states!.Release(StateSlot);
        StateSlot = -1;
    }

    /// <summary>Gives back all blocks.</summary>
    public void Dispose()
    {
        if (disposed)
            return;
        Truncate(0);
        disposed = true;
    }

    private BlockId Allocate() =>
        pool.TryAllocate(out var block) ? block : throw new InvalidOperationException("The pool has fewer free blocks than it counted.");
}
