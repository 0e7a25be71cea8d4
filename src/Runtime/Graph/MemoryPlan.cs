namespace Weft.Graph;

/// <summary>
/// Where each value of a graph lives in one arena, so that a step allocates nothing. Values whose lifetimes do not meet share memory:
/// the largest are placed first, each at the lowest offset that is free for its whole life.
/// </summary>
public sealed class MemoryPlan
{
    /// <summary>Offsets are multiples of this many bytes: a cache line, and a vector register of the widest kind.</summary>
    public const int Alignment = 64;

    private readonly Dictionary<Value, long> offsets = [];

    private MemoryPlan()
    {
    }

    /// <summary>Bytes of the arena.</summary>
    public long Size { get; private set; }

    /// <summary>Byte offset of <paramref name="value"/> in the arena.</summary>
    public long Offset(Value value) => offsets[value];

    /// <summary>Plans <paramref name="graph"/> for steps of at most <paramref name="maxTokens"/> tokens, as many of sources, and <paramref name="maxLogitRows"/> rows of logits.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="maxTokens">Largest N.</param>
    /// <param name="maxLogitRows">Largest R.</param>
    /// <param name="rowBytes">Bytes of one row of a value: element types and padding are the backend's affair.</param>
    public static MemoryPlan Create(StepGraph graph, int maxTokens, int maxLogitRows, Func<Value, long> rowBytes)
    {
        var plan = new MemoryPlan();
        var placed = new List<Place>();
        foreach (var life in Lives(graph, maxTokens, maxLogitRows, rowBytes).OrderByDescending(life => life.Size).ThenBy(life => life.First))
        {
            var offset = 0L;
            foreach (var (other, start) in placed.Where(place => place.Life.Meets(life)).OrderBy(place => place.Offset))
            {
                if (start >= offset + life.Size)
                    break;
                offset = Math.Max(offset, start + other.Size);
            }

            placed.Add(new(life, offset));
            plan.offsets[life.Value] = offset;
            plan.Size = Math.Max(plan.Size, offset + life.Size);
        }

        return plan;
    }

    private static IEnumerable<Life> Lives(StepGraph graph, int maxTokens, int maxLogitRows, Func<Value, long> rowBytes)
    {
        var first = new Dictionary<Value, int>();
        var last = new Dictionary<Value, int>();
        for (var i = 0; i < graph.Nodes.Count; i++)
        {
            foreach (var value in graph.Nodes[i].Outputs.Concat(graph.Nodes[i].Inputs))
            {
                first.TryAdd(value, i);
                last[value] = i;
            }
        }

        // The caller reads the results after the step.
        last[graph.Logits] = last[graph.Hidden] = graph.Nodes.Count;
        return first.Select(pair =>
        {
            var rows = pair.Key.Rows == Rows.Logits ? maxLogitRows : maxTokens;
            var bytes = rows * rowBytes(pair.Key);
            return new Life(pair.Key, pair.Value, last[pair.Key], (bytes + Alignment - 1) / Alignment * Alignment);
        });
    }

    private sealed record Place(Life Life, long Offset);

    private sealed record Life(Value Value, int First, int Last, long Size)
    {
        public bool Meets(Life other) => First <= other.Last && other.First <= Last;
    }
}
