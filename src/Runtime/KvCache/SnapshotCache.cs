namespace Weft.KvCache;

/// <summary>A copy of a sequence's state that a step makes on its way.</summary>
/// <param name="Tokens">How many tokens it is of, a multiple of the block size.</param>
/// <param name="Slot">Where it goes.</param>
internal readonly record struct StateSnapshot(int Tokens, int Slot);

/// <summary>
/// Copies of the state of recurrent blocks as it was after known tokens, so that a sequence that begins with them goes on from there: a state, unlike
/// keys and values, cannot be cut. Each is named by the contents of the block that ends there (<see cref="PrefixCache"/>). There is a fixed number of
/// slots; the one unused for longest gives way.
/// </summary>
/// <remarks>Not thread-safe.</remarks>
internal sealed class SnapshotCache
{
    private readonly Dictionary<long, LinkedListNode<Entry>> known = [];
    private readonly LinkedList<Entry> byUse = []; // the one used last at the end
    private readonly Stack<int> free;
    private readonly int[] readers;
    private readonly int first;

    /// <summary>Creates an empty cache over a pool's slots for snapshots.</summary>
    public SnapshotCache(StatePool pool)
    {
        first = pool.Sequences;
        readers = new int[pool.Snapshots];
        free = new(Enumerable.Range(first, pool.Snapshots).Reverse());
    }

    /// <summary>Snapshots that can be found.</summary>
    public int Count => known.Count;

    /// <summary>Slots that hold nothing.</summary>
    public int FreeCount => free.Count;

    /// <summary>Whether there is one of these contents.</summary>
    public bool Has(long contents) => known.ContainsKey(contents);

    /// <summary>Takes a slot to write to, if need be that of the snapshot unused for longest which nobody is about to read.</summary>
    /// <returns>False when all are read or being written.</returns>
    public bool TryTake(out int slot)
    {
        if (free.TryPop(out slot))
            return true;
        for (var node = byUse.First; node is not null; node = node.Next)
        {
            if (readers[node.Value.Slot - first] > 0)
                continue;
            slot = node.Value.Slot;
            byUse.Remove(node);
            known.Remove(node.Value.Contents);
            return true;
        }

        return false;
    }

    /// <summary>Gives a slot back whose snapshot will not be used.</summary>
    public void GiveBack(int slot) => free.Push(slot);

    /// <summary>A slot that was taken holds the state after these contents.</summary>
    public void Add(long contents, int slot)
    {
        if (known.TryGetValue(contents, out var same))
        {
            // Another sequence was faster: its copy is the same.
            GiveBack(slot);
            Use(same);
            return;
        }

        known[contents] = byUse.AddLast(new Entry(contents, slot));
    }

    /// <summary>Finds a snapshot, which stays until <see cref="LetGo"/>.</summary>
    public int Hold(long contents)
    {
        var node = known[contents];
        Use(node);
        readers[node.Value.Slot - first]++;
        return node.Value.Slot;
    }

    /// <summary>A reader of a snapshot has read it.</summary>
    public void LetGo(int slot)
    {
        // One that was forgotten meanwhile is free with its last reader.
        if (--readers[slot - first] == 0 && !byUse.Any(entry => entry.Slot == slot))
            free.Push(slot);
    }

    /// <summary>The contents are gone, or of no use any more.</summary>
    public void Forget(long contents)
    {
        if (!known.Remove(contents, out var node))
            return;
        byUse.Remove(node);
        if (readers[node.Value.Slot - first] == 0)
            free.Push(node.Value.Slot);
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        foreach (var contents in known.Keys.ToList())
            Forget(contents);
    }

    private void Use(LinkedListNode<Entry> node)
    {
        byUse.Remove(node);
        byUse.AddLast(node);
    }

    private readonly record struct Entry(long Contents, int Slot);
}
