namespace Weft.Profile.Workloads;

/// <summary>The index arrays of a paged cache: sequences of equal length, blocks in a shuffled order, as a running server has them.</summary>
/// <param name="Sequences">B.</param>
/// <param name="Positions">Context of each.</param>
internal readonly record struct CacheLayout(int Sequences, int Positions)
{
    /// <summary>Positions of a block.</summary>
    public const int BlockSize = 16;

    /// <summary>Blocks of one sequence.</summary>
    public int MaxBlocks => (Positions + BlockSize - 1) / BlockSize;

    /// <summary>Blocks of all.</summary>
    public int Blocks => Sequences * MaxBlocks;

    /// <summary>[B, MaxBlocks].</summary>
    public int[] Tables()
    {
        var tables = Enumerable.Range(0, Blocks).ToArray();
        new Random(3).Shuffle(tables);
        return tables;
    }

    /// <summary>[B · tokens] places of each sequence's last tokens: block · 16 + offset.</summary>
    public int[] Slots(int tokens)
    {
        var (tables, layout) = (Tables(), this);
        return [.. from sequence in Enumerable.Range(0, Sequences)
                   from position in Enumerable.Range(layout.Positions - tokens, tokens)
                   select (tables[(sequence * layout.MaxBlocks) + (position / BlockSize)] * BlockSize) + (position % BlockSize)];
    }

    /// <summary>[B · tokens] positions of each sequence's last tokens.</summary>
    public int[] LastPositions(int tokens)
    {
        var first = Positions - tokens;
        return [.. Enumerable.Range(0, Sequences).SelectMany(_ => Enumerable.Range(first, tokens))];
    }

    /// <summary>Bytes of the keys, or values, of all blocks.</summary>
    public long Bytes(ModelShape model) => (long)Blocks * BlockSize * model.KeyHeads * model.HeadSize * sizeof(ushort);
}
