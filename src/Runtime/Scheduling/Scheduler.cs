using System.Runtime.InteropServices;
using Weft.KvCache;

namespace Weft.Scheduling;

/// <summary>What one request does in a step.</summary>
/// <param name="Request">Whose tokens.</param>
/// <param name="First">Position of the first.</param>
/// <param name="Count">How many.</param>
/// <param name="Rows">Which of them need logits.</param>
/// <param name="Encodes">Its source is encoded in the same step.</param>
internal readonly record struct Share(Request Request, int First, int Count, LogitRows Rows, bool Encodes = false)
{
    /// <summary>Tokens that the step computes for it, those of its source included.</summary>
    public int Work => Count + (Encodes ? Request.Source!.Tokens.Length : 0);

    /// <summary>How many rows of logits that is.</summary>
    public int RowCount => Rows switch
    {
        LogitRows.All => Count,
        LogitRows.Last => 1,
        _ => 0,
    };

    /// <summary>How many of its tokens, the last, were drawn.</summary>
    public int DrawnCount => Math.Clamp(First + Count - Math.Max(First, Request.PromptLength), 0, Count);

    /// <summary>It draws the request's next token: it reaches the end of what is known.</summary>
    public bool Draws => Rows != LogitRows.None && First + Count >= Request.Tokens.Count;
}

/// <summary>Sizes of a step.</summary>
/// <param name="Tokens">Most tokens.</param>
/// <param name="Sequences">Most sequences, and most that run at a time.</param>
/// <param name="LogitRows">Most rows of logits, at least as many as sequences.</param>
/// <param name="SourceTokens">Most tokens of sources, at least as many as the longest has; 0 without an encoder.</param>
internal readonly record struct StepLimits(int Tokens, int Sequences, int LogitRows, int SourceTokens = 0);

/// <summary>
/// Decides what each step computes (continuous batching: Yu et al. 2022, "Orca"; chunked prefill: Agrawal et al. 2023, arXiv 2308.16369).
/// Every running sequence that only needs its next token gets it; what is left of the step goes to prompts, in pieces, those begun first; then
/// waiting requests start, as long as their prompt finds room in the cache. When a sequence needs a block and none is free, the last in line gives
/// way: it loses its blocks and computes its tokens again later, as far as the prefix cache does not find them.
/// </summary>
/// <remarks>
/// The line is one fixed order of all requests: time of arrival, moved by <see cref="PriorityTicks"/> for every step of priority. The first in
/// line never gives way, so something always finishes; and whoever arrives later than that is behind for good, so nobody starves.
/// <para>Not thread-safe.</para>
/// </remarks>
internal sealed class Scheduler
{
    /// <summary>A step of priority is worth having arrived this much earlier: 10 seconds.</summary>
    public const long PriorityTicks = 10 * TimeSpan.TicksPerSecond;

    private readonly BlockPool pool;
    private readonly StepLimits limits;
    private readonly bool tellsDrawnApart;
    private readonly LengthOfKeys? keys;
    private readonly PrefixCache cache;
    private readonly RequestSnapshots? snapshots;
    private readonly SortedSet<Request> waiting = [];
    private readonly List<Request> running = []; // in line
    private readonly List<Share> shares = [];
    private int tokensLeft;
    private int rowsLeft;
    private int sourcesLeft;

    /// <summary>Creates a scheduler without requests.</summary>
    /// <param name="pool">The cache's blocks.</param>
    /// <param name="limits">Sizes of a step.</param>
    /// <param name="tellsDrawnApart"><see cref="Backends.StepProgram.TellsDrawnApart"/>.</param>
    /// <param name="keys">What keys depend on beside tokens; null where that is nothing.</param>
    /// <param name="states">Slots of the states of a model with recurrent blocks; null for another model.</param>
    public Scheduler(BlockPool pool, StepLimits limits, bool tellsDrawnApart, LengthOfKeys? keys = null, StatePool? states = null)
    {
        (this.pool, this.limits, this.tellsDrawnApart, this.keys) = (pool, limits, tellsDrawnApart, keys);
        snapshots = states is null ? null : new(states);
        cache = new(pool, snapshots?.Cache);
    }

    /// <summary>Requests without blocks.</summary>
    public int WaitingCount => waiting.Count;

    /// <summary>Requests that take part in steps, in line.</summary>
    public IReadOnlyList<Request> Running => running;

    /// <summary>Sequences that had to give way so far.</summary>
    public long Preemptions { get; private set; }

    /// <summary>Tokens of prompts that were looked for in the prefix cache so far.</summary>
    public long PrefixQueries { get; private set; }

    /// <summary>Tokens of those that were found.</summary>
    public long PrefixHits { get; private set; }

    /// <summary>The longest prefix of a request that finds room in a step, whatever the other sequences do.</summary>
    public int LongestPrefix(bool wantsPromptLogits) => (wantsPromptLogits ? limits.LogitRows : limits.Tokens) - limits.Sequences + 1;

    /// <summary>Snapshots of states that can be found.</summary>
    internal int SnapshotCount => snapshots?.Cache.Count ?? 0;

    /// <summary>Slots of snapshots that hold nothing.</summary>
    internal int FreeSnapshotSlots => snapshots?.Cache.FreeCount ?? 0;

    /// <summary>Takes in a new request.</summary>
    public void Add(Request request) => waiting.Add(request);

    /// <summary>Lets go of a request for good: finished, cancelled or failed.</summary>
    public void Remove(Request request)
    {
        if (request.State == RequestState.Waiting)
            waiting.Remove(request);
        else
            running.Remove(request);
        request.State = RequestState.Finished;
        snapshots?.Drop(request);
        request.Table.Dispose();
        request.Source?.Table.Dispose();
    }

    /// <summary>Chooses the next step; the tables of its requests are long enough for it afterwards.</summary>
    /// <param name="promptTokens">Most tokens of prompts beside sequences that wait for their next token: what these can bear.</param>
    /// <returns>Nothing when nobody can go on. Valid until the next call.</returns>
    public IReadOnlyList<Share> Plan(int promptTokens)
    {
        shares.Clear();
        (tokensLeft, rowsLeft, sourcesLeft) = (limits.Tokens, limits.LogitRows, limits.SourceTokens);
        BeginAnew();
        var preemptions = Preemptions;
        for (var i = 0; i < running.Count; i++)
        {
            if (running[i].IsDecoding && !Outgrows(running[i]))
                Give(running[i], 1);
        }

        var left = shares.Count == 0 ? tokensLeft : Math.Min(promptTokens, tokensLeft);
        for (var i = 0; i < running.Count && left > 0; i++)
        {
            if (running[i].Missing > 0 && !running[i].IsDecoding)
                left -= Give(running[i], left);
        }

        while (Preemptions == preemptions && left > 0 && running.Count < limits.Sequences && waiting.Min is { } first && TryStart(first))
            left -= Give(first, left);
        return shares;
    }

    /// <summary>Chooses a step of one request alone, whoever stands in line.</summary>
    public IReadOnlyList<Share> PlanAlone(Request request)
    {
        shares.Clear();
        (tokensLeft, rowsLeft, sourcesLeft) = (limits.Tokens, limits.LogitRows, limits.SourceTokens);
        BeginAnew();
        while (shares.Count == 0 && request.Missing > 0)
        {
            // It may have to give way itself, being last in line, and then comes back with all the room that it needs.
            while (request.State == RequestState.Waiting && !TryStart(request))
                GiveWay(running[^1]);
            Give(request, tokensLeft);
        }

        return shares;
    }

    /// <summary>A step was computed: the prefix cache may know what the request's blocks hold.</summary>
    public void Computed(Request request)
    {
        if (request.State == RequestState.Running && CanShare(request))
        {
            var known = CollectionsMarshal.AsSpan(request.Tokens)[..Math.Min(request.Tokens.Count, request.Table.Length)];
            snapshots?.Started(request);
            while (request.Snapshots is [var snapshot, ..] && snapshot.Tokens <= known.Length)
            {
                request.Position = cache.Add(known[..snapshot.Tokens], PromptOf(request), request.Table, request.Position);
                snapshots!.Publish(request, snapshot);
                request.Snapshots.RemoveAt(0);
            }

            request.Position = cache.Add(known, PromptOf(request), request.Table, request.Position);
        }
    }

    /// <summary>A step failed: nothing that is in the cache can be relied on, and every sequence computes its tokens again.</summary>
    public void Restart()
    {
        while (running.Count > 0)
            Withdraw(running[^1]);

        cache.Clear();
    }

    /// <summary>Gives a running request up to <paramref name="most"/> tokens of the step.</summary>
    /// <returns>How many are computed for it, those of its source included; none if it had to give way itself.</returns>
    private int Give(Request request, int most)
    {
        var first = request.Table.Length;
        // A prefix is computed at once, however long the others wait for it.
        var count = Math.Min(Math.Min(Math.Max(most, request.Prefix.Length - first), tokensLeft), request.Missing);
        var scores = request.WantsPromptLogits && first >= request.VirtualTokens && first < request.PromptLength;
        if (scores)
            count = Math.Min(count, rowsLeft);
        else if (request.WantsPromptLogits && first < request.VirtualTokens)
            count = Math.Min(count, request.VirtualTokens - first); // nobody wants their logits
        else if (rowsLeft == 0 && count == request.Missing)
            count--; // all but the token whose logits are wanted
        if (count <= 0 || first + count < request.Prefix.Length)
            return 0;
        // Nor is a source ever cut: its first token sees its last.
        var source = request.Source is { IsEncoded: false } missing ? missing : null;
        if (source?.Tokens.Length > sourcesLeft)
            return 0;
        var ends = count == request.Missing;
        // Tables share whole blocks alone, so none is ever to be copied.
        while (source?.Table.TryExtend(source.Tokens.Length, out _) == false || !request.Table.TryExtend(first + count, out _))
        {
            var last = running[^1];
            GiveWay(last);
            if (last == request)
                return 0;
        }

        var rows = scores ? LogitRows.All : ends ? LogitRows.Last : LogitRows.None;
        var share = new Share(request, first, count, rows, source is not null);
        snapshots?.Plan(request, first, count);
        shares.Add(share);
        tokensLeft -= count;
        rowsLeft -= share.RowCount;
        sourcesLeft -= source?.Tokens.Length ?? 0;
        return share.Work;
    }

    // What a block of a prefix holds depends on tokens after it, and beside a source on all of that.
    private static bool CanShare(Request request) => request.Prefix.Length == 0 && request.Source is null;

    // Tokens that count as a prompt's.
    private int PromptOf(Request request) => tellsDrawnApart ? request.PromptLength : int.MaxValue;

    private PrefixPosition Beginning(Request request) => new(0, -(keys?.Number(request.KeyLength) ?? 0));

    // Longer than its keys last: all of them are turned another way from there on. Tokens that are being drawn have to be known first.
    private bool Outgrows(Request request) => keys?.Last is { } last && request.KeyLength <= last && request.Tokens.Count + request.Drawing > last;

    private void BeginAnew()
    {
        foreach (var request in running.Where(request => Outgrows(request) && request.Drawing == 0).ToList())
        {
            Preemptions++;
            Withdraw(request);
        }
    }

    private void GiveWay(Request request)
    {
        Preemptions++;
        var index = shares.FindIndex(share => share.Request == request);
        if (index >= 0)
        {
            tokensLeft += shares[index].Count;
            rowsLeft += shares[index].RowCount;
            sourcesLeft += shares[index].Work - shares[index].Count;
            shares.RemoveAt(index);
        }

        Withdraw(request);
    }

    private void Withdraw(Request request)
    {
        running.Remove(request);
        snapshots?.Drop(request);
        request.Table.Truncate(0);
        request.Source?.Table.Truncate(0);
        request.State = RequestState.Waiting;
        waiting.Add(request);
    }

    /// <summary>Starts a request if all its tokens find room, beside what the running ones still need for theirs and a block for each to grow.</summary>
    private bool TryStart(Request request)
    {
        if (Outgrows(request))
            request.KeyLength = request.Tokens.Count;
        // The last token is computed in any case: its logits are wanted.
        request.Position = Beginning(request);
        if (!request.WantsPromptLogits && CanShare(request))
        {
            request.Position = cache.Match(CollectionsMarshal.AsSpan(request.Tokens)[..^1], PromptOf(request), request.Table, request.Position, out var known);
            snapshots?.Start(request, known);
        }

        if (running.Count > 0 && Needs(request) + running.Sum(Needs) + running.Count > pool.FreeCount)
        {
            snapshots?.Drop(request);
            request.Table.Truncate(0);
            return false;
        }

        if (request.CachedTokens is null)
        {
            request.CachedTokens = Math.Max(0, request.Table.Length - request.VirtualTokens);
            PrefixQueries += request.PromptLength - request.VirtualTokens;
            PrefixHits += request.CachedTokens.Value;
        }

        waiting.Remove(request);
        request.State = RequestState.Running;
        var place = running.BinarySearch(request);
        running.Insert(~place, request);
        return true;
    }

    private static int Needs(Request request) => Math.Max(0, BlockPool.BlocksFor(request.Tokens.Count) - request.Table.Blocks.Length)
        + (request.Source is { IsEncoded: false } source ? BlockPool.BlocksFor(source.Tokens.Length) : 0);
}
