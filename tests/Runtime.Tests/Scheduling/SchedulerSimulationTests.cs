using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weft.KvCache;
using Weft.Scheduling;

namespace Weft.Runtime.Tests.Scheduling;

/// <summary>
/// The scheduler, the block tables and the prefix cache under random arrivals, cancellations and step failures, with a device of one number a
/// slot: the slot of position t holds a hash of tokens 0 to t, and where that is told apart, of which were drawn. A step checks that all positions before its own hold what they should, so a
/// block that is shared wrongly, overwritten too early or not filled is found at once; and the next token is a function of that hash, so a
/// sequence that gave way and came back must continue as if nothing had happened. Where there are recurrent blocks, the slot of a sequence's state holds
/// the same hash of all its tokens, and so do snapshots: a step checks what it starts from. Some prompts
/// have a prefix whose tokens see each other: there the first hash is of all of it. Others have a source: there it is of that, and the source's own slots hold hashes of the source.
/// </summary>
[TestFixture]
public sealed class SchedulerSimulationTests
{
    private const int Context = 160;

    [Test]
    public void Nothing_leaks_nobody_starves_and_every_block_is_accounted_for(
        [Values(1, 2, 3)] int seed, [Values(10, 23, 200)] int blocks, [Values] bool runsAhead, [Values] bool tellsDrawnApart)
    {
        var simulation = new Simulation(seed, blocks, runsAhead, tellsDrawnApart);
        simulation.Run(200_000);
        Assert.That(simulation.Events, Is.GreaterThan(200_000));
        Assert.That(simulation.Finished, Is.GreaterThan(500));
        Assert.That(simulation.Scheduler.PrefixHits, Is.Positive, "system prompts are shared");
        if (blocks < 100)
            Assert.That(simulation.Scheduler.Preemptions, Is.Positive, "a small cache makes sequences give way");
    }

    [Test]
    public void Every_sequence_starts_from_its_own_state_or_a_snapshot_of_the_same_tokens(
        [Values(1, 2)] int seed, [Values(12, 23, 200)] int blocks, [Values(0, 1, 5, 40)] int snapshots, [Values] bool runsAhead, [Values] bool tellsDrawnApart)
    {
        var simulation = new Simulation(seed, blocks, runsAhead, tellsDrawnApart, snapshots);
        simulation.Run(60_000);
        Assert.That(simulation.Finished, Is.GreaterThan(150));
        Assert.That(simulation.Scheduler.PrefixHits, snapshots == 0 ? Is.Zero : Is.Positive);
        if (blocks < 100)
            Assert.That(simulation.Scheduler.Preemptions, Is.Positive, "a small cache makes sequences give way");
    }

    [Test]
    public void Every_sequence_finds_its_own_source_encoded([Values(1, 2)] int seed, [Values(20, 35, 300)] int blocks, [Values] bool runsAhead)
    {
        var simulation = new Simulation(seed, blocks, runsAhead, tellsDrawnApart: true, hasSources: true);
        simulation.Run(60_000);
        Assert.That(simulation.Finished, Is.GreaterThan(150));
        Assert.That(simulation.Scheduler.PrefixHits, Is.Zero);
        if (blocks < 100)
            Assert.That(simulation.Scheduler.Preemptions, Is.Positive, "a small cache makes sequences give way");
    }

    [Test]
    public void A_request_of_higher_priority_starts_before_those_that_wait()
    {
        var pool = new BlockPool(10);
        var scheduler = new Scheduler(pool, new(32, 1, 16), tellsDrawnApart: false);
        var requests = Enumerable.Range(0, 4)
            .Select(i => new Request([1, 2, 3], 1, new BlockTable(pool, Context), i - (i == 3 ? Scheduler.PriorityTicks : 0), i)).ToList();
        requests.ForEach(scheduler.Add);
        var served = new List<long>();
        while (scheduler.Plan(32) is [var share])
        {
            served.Add(share.Request.Id);
            scheduler.Remove(share.Request);
        }

        Assert.That(served, Is.EqualTo(new long[] { 3, 0, 1, 2 }));
    }

    [Test]
    public void A_long_prompt_takes_no_more_of_a_step_than_what_others_can_bear()
    {
        var pool = new BlockPool(20);
        var scheduler = new Scheduler(pool, new(64, 4, 16), tellsDrawnApart: false);
        var writer = new Request([1, 2, 3], 50, new BlockTable(pool, Context), 0, 0);
        scheduler.Add(writer);
        Assert.That(scheduler.Plan(8), Has.Count.EqualTo(1));
        writer.Draw(0);
        writer.Receive(5);
        scheduler.Add(new Request(new int[100], 1, new BlockTable(pool, Context), 1, 1));
        var counts = scheduler.Plan(8).Select(share => share.Count).ToList();
        Assert.That(counts, Is.EqualTo(new[] { 1, 8 }));
    }

    private sealed class Simulation
    {
        private const int MaxTokens = 48;
        private const int MaxSequences = 9;
        private const int MaxSourceTokens = Context;

        private readonly Random random;
        private readonly BlockPool pool;
        private readonly ulong[] slots;
        private readonly StatePool? states;
        private readonly ulong[] stateSlots = [];
        private readonly bool runsAhead;
        private readonly bool tellsDrawnApart;
        private readonly bool hasSources;
        private readonly Queue<int[]> answered = [];
        private readonly int[][] systemPrompts;
        private readonly List<(Request Request, int MaxTokens, long Deadline)> live = [];
        private (List<Share> Shares, List<(Request Request, int Token)> Drawn)? pending;
        private long next;
        private long step;

        public Simulation(int seed, int blocks, bool runsAhead, bool tellsDrawnApart, int? snapshots = null, bool hasSources = false)
        {
            this.hasSources = hasSources;
            if (snapshots is { } count)
            {
                states = new(MaxSequences, count);
                stateSlots = new ulong[MaxSequences + count];
            }

            random = new(seed);
            pool = new(blocks);
            slots = new ulong[blocks * BlockPool.BlockSize];
            this.runsAhead = runsAhead;
            this.tellsDrawnApart = tellsDrawnApart;
            Scheduler = new(pool, new(MaxTokens, MaxSequences, MaxSequences + 3, hasSources ? MaxSourceTokens : 0), tellsDrawnApart, states: states);
            systemPrompts = [.. Enumerable.Range(0, 3).Select(_ => Enumerable.Range(0, random.Next(20, 70)).Select(_ => random.Next(100)).ToArray())];
        }

        public Scheduler Scheduler { get; }

        public long Events { get; private set; }

        public int Finished { get; private set; }

        public void Run(int steps)
        {
            for (var i = 0; i < steps; i++)
            {
                // Now busy, now idle.
                if (live.Count < 40 && random.Next(i / 2000 % 2 == 0 ? 4 : 40) == 0)
                    Arrive();
                if (live.Count > 0 && random.Next(60) == 0)
                    Cancel(live[random.Next(live.Count)].Request);
                Step(fails: random.Next(3000) == 0);
                if (i % 64 == 0)
                    CheckBlocks();
            }

            while (live.Count > 0 || pending is not null)
                Step(fails: false);
            CheckBlocks();
            Assert.That(pool.FreeCount, Is.EqualTo(pool.TotalCount), "nothing leaks");
            Assert.That((Scheduler.WaitingCount, Scheduler.Running.Count), Is.EqualTo((0, 0)));
            Assert.That(states is null || states.FreeCount == states.Sequences, Is.True, "every state's slot is free");
            Assert.That(states is null || Scheduler.SnapshotCount + Scheduler.FreeSnapshotSlots == states.Snapshots, Is.True, "every snapshot's slot is accounted for");
        }

        private void Arrive()
        {
            Events++;
            // A cache smaller than the context serves what fits it.
            var longest = Math.Min(Context, pool.TotalCount * BlockPool.BlockSize / (hasSources ? 2 : 1));
            // A system prompt, the next turn of a chat, or nothing that was there before.
            var system = random.Next(5) is var choice && choice < systemPrompts.Length ? systemPrompts[choice]
                : choice == systemPrompts.Length && answered.Count > 0 ? answered.ElementAt(random.Next(answered.Count)) : [];
            var prompt = system.Concat(Enumerable.Range(0, random.Next(1, 60)).Select(_ => random.Next(100))).Take(longest - 1).ToArray();
            var maxTokens = random.Next(1, Math.Min(50, longest - prompt.Length) + 1);
            var priority = random.Next(10) == 0 ? random.Next(-2, 3) : 0;
            // The clock is the number of the step; a step of priority is worth 50 of them here.
            var request = new Request(prompt, maxTokens, new BlockTable(pool, longest, states), step + (priority * 50), next++)
            {
                WantsPromptLogits = random.Next(20) == 0,
                Source = hasSources ? new([.. Enumerable.Range(0, random.Next(1, longest + 1)).Select(_ => random.Next(100))], new BlockTable(pool, longest)) : null,
                Prefix = !hasSources && random.Next(8) == 0 ? new(random.Next(0, Math.Min(prompt.Length, MaxTokens - MaxSequences + 2)), null) : default,
            };
            if (request.Prefix.Length > Scheduler.LongestPrefix(request.WantsPromptLogits))
                return;
            // Whoever is ahead, or comes later with priority, takes at most so many steps one after the other.
            var ahead = live.Count + (priority == 2 ? 120 : 60);
            live.Add((request, maxTokens, step + ((long)ahead * 2 * Context)));
            Scheduler.Add(request);
        }

        private void Cancel(Request request)
        {
            Events++;
            live.RemoveAll(entry => entry.Request == request);
            Scheduler.Remove(request);
        }

        private void Step(bool fails)
        {
            Events++;
            step++;
            var shares = Scheduler.Plan(random.Next(1, MaxTokens)).ToList();
            CheckPlan(shares);
            var current = shares.Count == 0 ? ((List<Share>, List<(Request, int)>)?)null : (shares, Compute(shares));
            if (fails)
            {
                // Both steps are lost.
                foreach (var (request, _) in (pending?.Drawn ?? []).Concat(current?.Item2 ?? []))
                    request.Undraw();
                pending = null;
                Scheduler.Restart();
                Array.Fill(slots, ulong.MaxValue);
                Array.Fill(stateSlots, ulong.MaxValue);
                return;
            }

            Receive();
            pending = current;
            if (!runsAhead)
                Receive();
            Assert.That(live.Where(entry => entry.Deadline < step).Select(entry => entry.Request.Id), Is.Empty, "somebody starves");
        }

        private void CheckPlan(List<Share> shares)
        {
            Assert.That(shares.Sum(share => share.Count), Is.LessThanOrEqualTo(MaxTokens));
            Assert.That(shares, Has.Count.LessThanOrEqualTo(MaxSequences));
            Assert.That(shares.Select(share => share.Request), Is.Unique);
            Assert.That(shares.Sum(share => share.Work - share.Count), Is.LessThanOrEqualTo(MaxSourceTokens));
            Assert.That(shares.Where(share => share.First < share.Request.Prefix.Length && (share.First > 0 || share.Count < share.Request.Prefix.Length)), Is.Empty, "a prefix is cut");
            if (shares.Count == 0)
                Assert.That(live.Count == 0 || pending is not null, Is.True, "somebody could go on");
        }

        /// <summary>Writes what the step computes; gives the tokens drawn.</summary>
        private List<(Request Request, int Token)> Compute(List<Share> shares)
        {
            var drawn = new List<(Request, int)>();
            if (states is not null)
                ComputeStates(shares);
            foreach (var share in shares)
            {
                var request = share.Request;
                if (share.Encodes)
                    Encode(request.Source!);
                Assert.That(request.Table.Length, Is.EqualTo(share.First + share.Count));
                for (var position = share.First; position < share.First + share.Count; position++)
                {
                    var token = position < request.Tokens.Count ? request.Tokens[position] : pending!.Value.Drawn.Single(d => d.Request == request).Token;
                    slots[request.Table.Slot(position)] = Hash(request, position, position == 0 ? First(request) : slots[request.Table.Slot(position - 1)], token);
                    Events++;
                }

                CheckContents(request);
                if (share.Rows != LogitRows.None && share.First + share.Count >= request.Tokens.Count)
                {
                    drawn.Add((request, Next(slots[request.Table.Slot(share.First + share.Count - 1)])));
                    request.Draw(drawn.Count - 1);
                }
            }

            return drawn;
        }

        /// <summary>All of a step's sequences run at once: none may read what another writes.</summary>
        private void ComputeStates(List<Share> shares)
        {
            var before = shares.ConvertAll(share => share.Request.Table.TakeStateSource() is var source && share.First == 0 ? 0 : stateSlots[source]);
            var written = new HashSet<int>();
            foreach (var (share, start) in shares.Zip(before))
            {
                var (request, hash) = (share.Request, start);
                for (var position = 0; position < share.First + share.Count; position++)
                {
                    if (position == 0)
                        hash = 0;
                    if (position == share.First && hash != start)
                        Assert.Fail($"request {request.Id} goes on at {position} from another state");
                    var token = position < request.Tokens.Count ? request.Tokens[position] : pending!.Value.Drawn.Single(d => d.Request == request).Token;
                    hash = Hash(request, position, hash, token);
                    foreach (var snapshot in request.Snapshots.Where(snapshot => snapshot.Tokens == position + 1 && position >= share.First))
                        Write(snapshot.Slot, hash);
                }

                Write(request.Table.StateSlot, hash);
            }

            void Write(int slot, ulong hash)
            {
                Assert.That(written.Add(slot), Is.True, "two sequences write one slot");
                stateSlots[slot] = hash;
            }
        }

        private void Encode(RequestSource source)
        {
            for (var i = 0; i < source.Tokens.Length; i++)
                slots[source.Table.Slot(i)] = OfSource(source, i);
        }

        private void CheckContents(Request request)
        {
            for (var i = 0; request.Source is { } source && i < source.Tokens.Length; i++)
            {
                if (slots[source.Table.Slot(i)] != OfSource(source, i))
                    Assert.Fail($"position {i} of the source of request {request.Id} holds something else");
            }

            var hash = First(request);
            for (var position = 0; position < Math.Min(request.Table.Length, request.Tokens.Count); position++)
            {
                hash = Hash(request, position, hash, request.Tokens[position]);
                if (slots[request.Table.Slot(position)] != hash)
                    Assert.Fail($"position {position} of request {request.Id} holds another sequence's keys");
            }
        }

        private void Receive()
        {
            if (pending is not { } received)
                return;
            pending = null;
            foreach (var (request, token) in received.Drawn)
            {
                if (request.State == RequestState.Finished)
                    continue;
                request.Receive(token);
                var entry = live.Find(entry => entry.Request == request);
                // Some end before their limit, as at an end-of-sequence token.
                if (request.Tokens.Count - request.PromptLength == entry.MaxTokens || token == 0)
                    Finish(request);
            }

            foreach (var share in received.Shares)
                Scheduler.Computed(share.Request);
        }

        private void Finish(Request request)
        {
            var hash = First(request);
            for (var i = 0; i < request.Tokens.Count; i++)
            {
                if (i >= request.PromptLength && request.Tokens[i] != Next(hash))
                    Assert.Fail($"request {request.Id} went astray at token {i}");
                hash = Hash(request, i, hash, request.Tokens[i]);
            }

            Finished++;
            answered.Enqueue([.. request.Tokens]);
            if (answered.Count > 20)
                answered.Dequeue();
            live.RemoveAll(entry => entry.Request == request);
            Scheduler.Remove(request);
        }

        private void CheckBlocks()
        {
            var held = new Dictionary<int, int>();
            foreach (var (request, _, _) in live)
            {
                Assert.That(request.State == RequestState.Running || request.Table.Length == 0, Is.True);
                Assert.That(request.Source is null || request.Source.IsEncoded == request.Table.Length > 0, Is.True);
                foreach (var block in (int[])[.. request.Table.Blocks, .. request.Source is { } source ? source.Table.Blocks : []])
                    CollectionsMarshal.GetValueRefOrAddDefault(held, block, out _)++;
            }

            for (var block = 0; block < pool.TotalCount; block++)
            {
                if (pool.ReferenceCount(new BlockId(block)) != held.GetValueOrDefault(block))
                    Assert.Fail($"block {block} is held by {held.GetValueOrDefault(block)} and counts {pool.ReferenceCount(new BlockId(block))}");
            }

            Assert.That(pool.FreeCount, Is.EqualTo(pool.TotalCount - held.Count));
        }

        private static ulong First(Request request) =>
            (request.Source?.Tokens ?? request.Tokens.Take(request.Prefix.Length)).Aggregate(0UL, (hash, token) => (hash ^ (ulong)(token + 7)) * 0x9E3779B97F4A7C15);

        private static ulong OfSource(RequestSource source, int position) => ((ulong)RuntimeHelpers.GetHashCode(source) << 20) + (ulong)position;

        private ulong Hash(Request request, int position, ulong before, int token)
        {
            var kind = tellsDrawnApart && position >= request.PromptLength ? 1000UL : 0;
            return ((before ^ ((ulong)(token + 1) + kind)) * 0x9E3779B97F4A7C15) >> 3;
        }

        private static int Next(ulong hash) => (int)(hash % 97);
    }
}
