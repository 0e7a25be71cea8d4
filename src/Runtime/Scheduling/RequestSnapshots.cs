using Weft.KvCache;

namespace Weft.Scheduling;

/// <summary>
/// Decides where requests leave snapshots of their state for others to start from: at the last block of a prompt, at the last whole block of what they
/// drew (the next turn of a chat begins there; each replaces the one before), and where a request finds that others began as it does.
/// </summary>
/// <param name="states">The slots.</param>
internal sealed class RequestSnapshots(StatePool states)
{
    private const int BlockSize = BlockPool.BlockSize;

    /// <summary>The snapshots that can be found.</summary>
    public SnapshotCache Cache { get; } = new(states);

    /// <summary>A request starts from what the prefix cache found.</summary>
    /// <param name="request">Whose table holds the blocks.</param>
    /// <param name="known">Blocks that it shares with others, also beyond those.</param>
    public void Start(Request request, int known)
    {
        request.SharedTokens = known * BlockSize;
        if (request.Position.Blocks == 0)
            return;
        request.HeldSnapshot = Cache.Hold(request.Position.Contents);
        request.Table.Restore(request.HeldSnapshot.Value);
    }

    /// <summary>A step computes tokens of a request: chooses those after which the state is copied.</summary>
    public void Plan(Request request, int first, int count)
    {
        var end = first + count;
        var lastOfPrompt = (request.PromptLength - 1) / BlockSize * BlockSize;
        var lastDrawn = end / BlockSize * BlockSize;
        Span<int> wanted = [request.SharedTokens, lastOfPrompt, lastDrawn > request.PromptLength ? lastDrawn : 0];
        wanted.Sort();
        var before = first;
        foreach (var tokens in wanted)
        {
            if (tokens <= before || tokens > end || !Cache.TryTake(out var slot))
                continue;
            request.Snapshots.Add(new(tokens, slot));
            before = tokens;
        }
    }

    /// <summary>The blocks up to a request's snapshot are known: others find it from now on.</summary>
    public void Publish(Request request, StateSnapshot snapshot)
    {
        var contents = request.Position.Contents;
        Cache.Add(contents, snapshot.Slot);
        if (snapshot.Tokens <= request.PromptLength || contents == request.DrawnSnapshot)
            return;
        Cache.Forget(request.DrawnSnapshot);
        request.DrawnSnapshot = contents;
    }

    /// <summary>A step of the request was computed: what it started from has been read.</summary>
    public void Started(Request request)
    {
        if (request.HeldSnapshot is { } held)
            Cache.LetGo(held);
        request.HeldSnapshot = null;
    }

    /// <summary>A request loses its state: what its steps still copy is of no use.</summary>
    public void Drop(Request request)
    {
        Started(request);
        request.Snapshots.ForEach(snapshot => Cache.GiveBack(snapshot.Slot));
        request.Snapshots.Clear();
    }
}
