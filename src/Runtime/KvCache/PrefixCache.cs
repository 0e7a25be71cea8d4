using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Weft.KvCache;

/// <summary>How far a sequence's blocks are known to the <see cref="PrefixCache"/>.</summary>
/// <param name="Blocks">Blocks from the beginning.</param>
/// <param name="Contents">Names what they hold together. Before the first block it is 0, or less where keys depend on something beside tokens, which it names.</param>
internal readonly record struct PrefixPosition(int Blocks, long Contents);

/// <summary>
/// Finds blocks that already hold the keys and values of a sequence's first tokens: system prompts, earlier turns of a chat, a sequence that
/// had to give way. A block is found by its sixteen tokens and all tokens before them. The cache holds no block: those without a holder stay
/// until the pool needs them, the longest unused first, and of one sequence the last before the first.
/// </summary>
/// <remarks>
/// Tokens are compared, not only hashed: no prompt can be made that finds another's block. What stands for "all tokens before" is the number
/// of the previous block's contents, which is never used twice; so what followed a block that was overwritten is never found again.
/// Where tokens that were drawn are told apart from a prompt's (<see cref="Backends.StepProgram.TellsDrawnApart"/>), so are the blocks that hold them.
/// <para>Not thread-safe.</para>
/// </remarks>
internal sealed class PrefixCache
{
    private const int BlockSize = BlockPool.BlockSize;

    private readonly BlockPool pool;
    private readonly Contents contents;
    private readonly HashSet<BlockId> blocks;
    private readonly HashSet<BlockId>.AlternateLookup<Wanted> lookup;
    private long last;

    private readonly SnapshotCache? snapshots;

    /// <summary>Creates an empty cache over a pool's blocks.</summary>
    /// <param name="pool">The blocks.</param>
    /// <param name="snapshots">Of the states of a model with recurrent blocks: only blocks up to one of them are of use. Null for another model.</param>
    public PrefixCache(BlockPool pool, SnapshotCache? snapshots = null)
    {
        this.pool = pool;
        this.snapshots = snapshots;
        contents = new(pool.TotalCount);
        blocks = new(contents);
        lookup = blocks.GetAlternateLookup<Wanted>();
        pool.Overwritten = block =>
        {
            blocks.Remove(block);
            snapshots?.Forget(contents.Number(block));
        };
    }

    /// <summary>Blocks that can be found.</summary>
    public int Count => blocks.Count;

    /// <summary>Fills an empty table with the blocks that hold the beginning of <paramref name="tokens"/>.</summary>
    /// <param name="tokens">A sequence's.</param>
    /// <param name="prompt">How many of them, the first, are its prompt's.</param>
    /// <param name="table">Receives the blocks.</param>
    /// <param name="position">Before the first.</param>
    /// <param name="known">Blocks that were found, also those of no use for want of a state.</param>
    public PrefixPosition Match(ReadOnlySpan<int> tokens, int prompt, BlockTable table, PrefixPosition position, out int known)
    {
        var last = position; // with a snapshot
        while (tokens.Length >= BlockSize && lookup.TryGetValue(new(position.Contents, tokens[..BlockSize], prompt), out var block))
        {
            table.Adopt(block);
            position = new(position.Blocks + 1, contents.Number(block));
            if (snapshots?.Has(position.Contents) == true)
                last = position;
            tokens = tokens[BlockSize..];
            prompt -= BlockSize;
        }

        known = position.Blocks;
        if (snapshots is null)
            return position;
        table.Truncate(last.Blocks * BlockSize);
        return last;
    }

    /// <summary>Makes the whole blocks of a sequence known.</summary>
    /// <param name="tokens">Tokens whose keys and values are computed.</param>
    /// <param name="prompt">How many of them, the first, are its prompt's.</param>
    /// <param name="table">Where they are.</param>
    /// <param name="position">How far this was done before.</param>
    public PrefixPosition Add(ReadOnlySpan<int> tokens, int prompt, BlockTable table, PrefixPosition position)
    {
        for (var end = (position.Blocks + 1) * BlockSize; end <= tokens.Length; end += BlockSize)
        {
            var chunk = new Wanted(position.Contents, tokens[(end - BlockSize)..end], prompt - (end - BlockSize));
            // Another sequence may have computed the same in a block of its own: that one is found from now on, too.
            if (!lookup.TryGetValue(chunk, out var block))
            {
                block = new BlockId(table.Blocks[position.Blocks]);
                contents.Set(block, ++last, chunk);
                blocks.Add(block);
                pool.Keep(block);
            }

            position = new(position.Blocks + 1, contents.Number(block));
        }

        return position;
    }

    /// <summary>Forgets everything: what blocks hold can no longer be relied on.</summary>
    public void Clear()
    {
        foreach (var block in blocks)
            pool.Forget(block);
        blocks.Clear();
        snapshots?.Clear();
    }

    /// <summary>A block that is looked for.</summary>
    private readonly ref struct Wanted(long before, ReadOnlySpan<int> tokens, int prompt)
    {
        public long Before { get; } = before;

        public ReadOnlySpan<int> Tokens { get; } = tokens;

        /// <summary>How many of the tokens, the first, are a prompt's.</summary>
        public int Prompt { get; } = Math.Clamp(prompt, 0, BlockSize);
    }

    /// <summary>What every block holds; blocks are equal when that is.</summary>
    private sealed class Contents(int blocks) : IEqualityComparer<BlockId>, IAlternateEqualityComparer<Wanted, BlockId>
    {
        private readonly int[] tokens = new int[blocks * BlockSize];
        private readonly long[] numbers = new long[blocks];
        private readonly long[] before = new long[blocks];
        private readonly byte[] prompts = new byte[blocks];

        public long Number(BlockId block) => numbers[block.Value];

        public void Set(BlockId block, long number, Wanted chunk)
        {
            numbers[block.Value] = number;
            before[block.Value] = chunk.Before;
            prompts[block.Value] = (byte)chunk.Prompt;
            chunk.Tokens.CopyTo(Tokens(block));
        }

        public bool Equals(BlockId x, BlockId y) => x == y || Equals(As(x), y);

        public int GetHashCode([DisallowNull] BlockId block) => GetHashCode(As(block));

        public bool Equals(Wanted wanted, BlockId block) =>
            before[block.Value] == wanted.Before && prompts[block.Value] == wanted.Prompt && wanted.Tokens.SequenceEqual(Tokens(block));

        public int GetHashCode(Wanted wanted)
        {
            var hash = default(HashCode);
            hash.Add(wanted.Before);
            hash.AddBytes(MemoryMarshal.AsBytes(wanted.Tokens));
            return hash.ToHashCode();
        }

        public BlockId Create(Wanted wanted) => throw new NotSupportedException();

        private Wanted As(BlockId block) => new(before[block.Value], Tokens(block), prompts[block.Value]);

        private Span<int> Tokens(BlockId block) => tokens.AsSpan(block.Value * BlockSize, BlockSize);
    }
}
