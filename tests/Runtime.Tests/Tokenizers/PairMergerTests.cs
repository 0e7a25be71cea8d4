using FsCheck;
using FsCheck.Fluent;
using Weft.Tokenizers.Models;

namespace Weft.Runtime.Tests.Tokenizers;

[TestFixture]
public sealed class PairMergerTests
{
    [Test]
    public void Short_and_long_words_merge_as_defined()
    {
        var cases = from symbols in Gen.Choose(0, 3).ArrayOf()
                    from repeats in Gen.Choose(1, 12)
                    from pairs in Gen.Choose(0, 8).Zip(Gen.Choose(0, 8)).ArrayOf(8)
                    select (symbols: Enumerable.Repeat(symbols, repeats).SelectMany(s => s).ToArray(), pairs);
        Prop.ForAll(cases.ToArbitrary(), (Action<(int[] Symbols, (int, int)[] Pairs)>)(c =>
        {
            // Symbols 0 to 3 are letters; pair i makes symbol 4 + i. Negative symbols never merge.
            var merges = new Dictionary<long, (int, int)>();
            for (var i = 0; i < c.Pairs.Length; i++)
                merges.TryAdd(Key(c.Pairs[i].Item1, c.Pairs[i].Item2), (i, 4 + i));
            int[] word = [.. c.Symbols.Select((symbol, i) => i % 17 == 5 ? -1 : symbol)];
            var symbols = word.ToArray();
            var count = new PairMerger(new Pairs(merges)).Merge(symbols, [.. Enumerable.Range(0, symbols.Length)], new byte[symbols.Length]);
            Assert.That(symbols[..count], Is.EqualTo(Expected(word, merges)));
        })).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
    }

    private static List<int> Expected(int[] word, Dictionary<long, (int Rank, int Id)> merges)
    {
        var symbols = word.ToList();
        while (true)
        {
            var best = Enumerable.Range(0, Math.Max(symbols.Count - 1, 0))
                .Where(i => symbols[i] >= 0 && symbols[i + 1] >= 0 && merges.ContainsKey(Key(symbols[i], symbols[i + 1])))
                .OrderBy(i => merges[Key(symbols[i], symbols[i + 1])].Rank).ThenBy(i => i)
                .Cast<int?>().FirstOrDefault();
            if (best is not { } at)
                return symbols;
            symbols[at] = merges[Key(symbols[at], symbols[at + 1])].Id;
            symbols.RemoveAt(at + 1);
        }
    }

    private static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    private sealed class Pairs(Dictionary<long, (int Rank, int Id)> merges) : IPairs
    {
        public bool TryFind(int left, int right, ReadOnlySpan<byte> joint, out int rank, out int id)
        {
            (rank, id) = merges.GetValueOrDefault(Key(left, right));
            return merges.ContainsKey(Key(left, right)) && left >= 0 && right >= 0;
        }
    }
}
