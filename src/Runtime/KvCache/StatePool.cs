namespace Weft.KvCache;

/// <summary>
/// Hands out the slots in which sequences keep the state of recurrent blocks: one a sequence. It knows numbers only; slots from
/// <see cref="Sequences"/> on are for snapshots (<see cref="SnapshotCache"/>).
/// </summary>
/// <remarks>Not thread-safe: one scheduler owns it.</remarks>
public sealed class StatePool
{
    private readonly Stack<int> free;

    /// <summary>Creates a pool of free slots.</summary>
    /// <param name="sequences">Slots of sequences.</param>
    /// <param name="snapshots">Slots of snapshots.</param>
    public StatePool(int sequences, int snapshots)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sequences, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(snapshots);
        (Sequences, Snapshots) = (sequences, snapshots);
        free = new(Enumerable.Range(0, sequences).Reverse());
    }

    /// <summary>Slots of sequences, the first ones.</summary>
    public int Sequences { get; }

    /// <summary>Slots of snapshots, after those.</summary>
    public int Snapshots { get; }

    /// <summary>Slots of sequences that are free.</summary>
    public int FreeCount => free.Count;

    /// <summary>Takes a free slot for a sequence.</summary>
    /// <returns>False when none is free.</returns>
    public bool TryTake(out int slot) => free.TryPop(out slot);

    /// <summary>Gives a sequence's slot back.</summary>
    public void Release(int slot) => free.Push(slot);
}
