using FsCheck;
using FsCheck.Fluent;
using Weft.KvCache;

namespace Weft.Runtime.Tests.KvCache;

/// <summary>
/// Random lives of sequences against a model that keeps every sequence's tokens in a list of its own: a storage of one number per
/// slot is written only where a table says so, and must read back what each list holds.
/// </summary>
public sealed class BlockTableModelTests
{
    private const int Blocks = 12;
    private const int MaxTokens = 100;

    [Test]
    public void Random_lives_keep_counts_contents_and_ownership()
    {
        var steps = Gen.ListOf(Gen.Choose(0, int.MaxValue - 1)).ToArbitrary();
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(500).WithEndSize(300),
            Prop.ForAll(steps, choices => new Model().Run(choices)));
    }

    private sealed class Model
    {
        private readonly BlockPool pool = new(Blocks);
        private readonly List<(BlockTable Table, List<int> Tokens)> live = [];
        private readonly int[] storage = new int[Blocks * BlockPool.BlockSize];
        private int written;

        public void Run(IEnumerable<int> choices)
        {
            foreach (var choice in choices)
            {
                Step(choice % 8, choice / 8);
                CheckInvariants();
            }

            foreach (var (table, _) in live)
                table.Dispose();
            Assert.That(pool.FreeCount, Is.EqualTo(Blocks), "nothing leaks");
        }

        private void Step(int action, int argument)
        {
            if (live.Count == 0 || (action == 0 && live.Count < 6))
            {
                live.Add((new BlockTable(pool, MaxTokens), []));
                return;
            }

            var index = argument % live.Count;
            var (table, tokens) = live[index];
            var size = argument / live.Count;
            switch (action)
            {
                case 1 when live.Count < 6:
                    live.Add((table.Fork(), [.. tokens]));
                    break;
                case 2:
                    var kept = size % (tokens.Count + 1);
                    table.Truncate(kept);
                    tokens.RemoveRange(kept, tokens.Count - kept);
                    break;
                case 3:
                    table.Dispose();
                    live.RemoveAt(index);
                    break;
                default:
                    Extend(table, tokens, Math.Min(MaxTokens, tokens.Count + (size % 40)));
                    break;
            }
        }

        private void Extend(BlockTable table, List<int> tokens, int length)
        {
            var (free, before) = (pool.FreeCount, table.Blocks.ToArray());
            if (!table.TryExtend(length, out var copy))
            {
                Assert.That(table.Blocks.ToArray(), Is.EqualTo(before), "a refused extension changes nothing");
                Assert.That((pool.FreeCount, table.Length, copy), Is.EqualTo((free, tokens.Count, (BlockCopy?)null)));
                Assert.That(BlockPool.BlocksFor(length) - before.Length + 1, Is.GreaterThan(free), "it is refused only for want of blocks");
                return;
            }

            if (copy is { } c)
            {
                var source = storage.AsSpan(c.Source.Value * BlockPool.BlockSize, c.Tokens);
                source.CopyTo(storage.AsSpan(c.Destination.Value * BlockPool.BlockSize));
            }

            while (tokens.Count < length)
            {
                var slot = table.Slot(tokens.Count);
                var owner = pool.ReferenceCount(new BlockId(slot / BlockPool.BlockSize));
                Assert.That(owner, Is.EqualTo(1), "only blocks of one table are written");
                tokens.Add(++written);
                storage[slot] = written;
            }
        }

        private void CheckInvariants()
        {
            var holders = new int[Blocks];
            foreach (var (table, tokens) in live)
            {
                Assert.That(table.Length, Is.EqualTo(tokens.Count));
                Assert.That(table.Blocks.Length, Is.EqualTo(BlockPool.BlocksFor(tokens.Count)));
                foreach (var block in table.Blocks)
                    holders[block]++;
                for (var t = 0; t < tokens.Count; t++)
                {
                    if (storage[table.Slot(t)] != tokens[t])
                        Assert.Fail($"position {t} was overwritten");
                }
            }

            for (var block = 0; block < Blocks; block++)
                Assert.That(pool.ReferenceCount(new BlockId(block)), Is.EqualTo(holders[block]), $"holders of block {block}");
            Assert.That(pool.FreeCount, Is.EqualTo(holders.Count(h => h == 0)));
        }
    }
}
