namespace Weft.Tokenizers.Models;

/// <summary>
/// The tokens of a vocabulary as a tree of bytes, for finding all that begin a text. An edge is an entry of one hash table, whose key is
/// the node and the byte.
/// </summary>
internal sealed class ByteTrie
{
    private readonly int[] tokens;
    private ulong[] keys = new ulong[1024];
    private int[] children = new int[1024];
    private int nodes = 1;

    public ByteTrie(TokenTable table)
    {
        var ends = new List<int> { -1 };
        for (var id = 0; id < table.Count; id++)
        {
            var node = 0;
            foreach (var value in table[id])
                node = Grow(node, value, ends);
            // Of tokens that are spelt alike the last counts, as in the libraries that this follows.
            if (node != 0)
                ends[node] = id;
        }

        tokens = [.. ends];
    }

    /// <summary>Goes from a node (0 is the root) along a byte.</summary>
    /// <returns>The next node, or −1.</returns>
    public int Next(int node, byte value)
    {
        var key = Key(node, value);
        for (var slot = Slot(key);; slot++)
        {
            var at = slot & (keys.Length - 1);
            if (keys[at] == key)
                return children[at];
            if (keys[at] == 0)
                return -1;
        }
    }

    /// <summary>The token that ends at a node, or −1.</summary>
    public int Token(int node) => tokens[node];

    /// <summary>The token that has these bytes, or −1.</summary>
    public int Find(ReadOnlySpan<byte> bytes)
    {
        var node = 0;
        foreach (var value in bytes)
        {
            node = Next(node, value);
            if (node < 0)
                return -1;
        }

        return tokens[node];
    }

    /// <summary>The longest token that stands at <paramref name="at"/>, going on from a node; −1 where there is none (also for no node).</summary>
    public (int Token, int End) LongestAt(int node, ReadOnlySpan<byte> bytes, int at)
    {
        var longest = (Token: -1, End: at);
        for (; node >= 0 && at < bytes.Length; at++)
        {
            node = Next(node, bytes[at]);
            if (node >= 0 && tokens[node] is >= 0 and var id)
                longest = (id, at + 1);
        }

        return longest;
    }

    private static ulong Key(int node, byte value) => ((ulong)(uint)node << 8 | value) + 1;

    private static int Slot(ulong key) => (int)((key * 0x9E3779B97F4A7C15) >> 33);

    private int Grow(int node, byte value, List<int> ends)
    {
        if (Next(node, value) is > 0 and var known)
            return known;
        if (3 * nodes > 2 * keys.Length)
            Resize();
        ends.Add(-1);
        Put(Key(node, value), nodes);
        return nodes++;
    }

    private void Put(ulong key, int child)
    {
        var at = Slot(key) & (keys.Length - 1);
        while (keys[at] != 0)
            at = (at + 1) & (keys.Length - 1);
        (keys[at], children[at]) = (key, child);
    }

    private void Resize()
    {
        var (oldKeys, oldChildren) = (keys, children);
        keys = new ulong[2 * oldKeys.Length];
        children = new int[keys.Length];
        for (var i = 0; i < oldKeys.Length; i++)
        {
            if (oldKeys[i] != 0)
                Put(oldKeys[i], oldChildren[i]);
        }
    }
}
