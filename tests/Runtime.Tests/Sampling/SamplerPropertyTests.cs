using FsCheck;
using FsCheck.Fluent;
using Weft.Reference;
using Weft.Sampling;

namespace Weft.Runtime.Tests.Sampling;

/// <summary>Random logits, options and histories: every token is the one that the plain definition draws with the same number.</summary>
public sealed class SamplerPropertyTests
{
    private const int Steps = 6;

    /// <summary>
    /// Logits lie on a grid, so that equals are frequent, and penalties are powers of two, so that they are exact in float: the two
    /// sides then see the same numbers and must agree on every token.
    /// </summary>
    private static readonly Gen<Case> Cases =
        from size in Gen.Frequency((1, Gen.Constant(1)), (4, Gen.Choose(2, 40)), (3, Gen.Choose(500, 1300)))
        from seed in Gen.Choose(0, int.MaxValue - 1)
        from grid in Gen.Elements(1, 8, 4096)
        from temperature in Gen.Elements(0.25f, 0.7f, 1f, 1.5f, 4f)
        from topK in Gen.Frequency((1, Gen.Constant(0)), (2, Gen.Choose(1, size + 2)))
        from topP in Gen.Frequency((1, Gen.Constant(1f)), (2, Gen.Choose(1, 999).Select(p => (p + 0.37f) / 1000.4f)))
        from minP in Gen.Frequency((2, Gen.Constant(0f)), (1, Gen.Choose(1, 999).Select(p => (p + 0.37f) / 1000.4f)))
        from repetition in Gen.Elements(1f, 1f, 2f, 0.5f)
        from presence in Gen.Elements(0f, 0f, 0.5f, -0.25f)
        from frequency in Gen.Elements(0f, 0f, 0.125f)
        select new Case(size, seed, grid, new SamplingOptions
        {
            Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, Seed = (ulong)seed * 0x9E3779B97F4A7C15,
            RepetitionPenalty = repetition, PresencePenalty = presence, FrequencyPenalty = frequency,
        });

    [Test]
    public void Every_draw_is_the_definitions() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(600),
        Prop.ForAll(Cases.ToArbitrary(), c =>
        {
            var sampler = new Sampler(c.Options, c.Size);
            var prompt = c.Prompt();
            sampler.Observe(prompt);
            var generated = new List<int>();
            for (var step = 0; step < Steps; step++)
            {
                var logits = c.Logits(step);
                var distribution = ReferenceSampler.Distribution(logits, c.Options, prompt, generated.ToArray());
                var expected = ReferenceSampler.Draw(distribution, Philox.Uniform(c.Options.Seed!.Value, (ulong)step));
                var drawn = sampler.Sample(logits);
                Assert.That(distribution[drawn], Is.Positive, "only kept tokens are drawn");
                Assert.That(drawn, Is.EqualTo(expected));
                generated.Add(drawn);
            }
        }));

    /// <summary>
    /// What is kept, seen through the sampler alone: over many draws of a nearly flat distribution every kept token comes up.
    /// </summary>
    [Test]
    public void The_kept_set_is_the_definitions() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(100),
        Prop.ForAll(Cases.Where(c => c.Size is > 1 and <= 40).ToArbitrary(), c =>
        {
            var options = c.Options with { RepetitionPenalty = 1, PresencePenalty = 0, FrequencyPenalty = 0, Temperature = 40 };
            var sampler = new Sampler(options, c.Size);
            var distribution = ReferenceSampler.Distribution(c.Logits(0), options, [], []);
            var drawn = new bool[c.Size];
            for (var i = 0; i < 2000; i++)
                drawn[sampler.Sample(c.Logits(0))] = true;
            Assert.That(drawn, Is.EqualTo(distribution.Select(p => p > 0)));
        }));

    [Test]
    public void A_vanishing_temperature_is_greedy() => Check.One(
        Config.QuickThrowOnFailure,
        Prop.ForAll(Cases.ToArbitrary(), c =>
        {
            var random = new Random(c.Seed);
            var logits = Enumerable.Range(0, c.Size).Select(_ => (float)random.NextDouble()).ToArray();
            var greedy = new Sampler(c.Options with { Temperature = 0 }, c.Size).Sample(logits.ToArray());
            Assert.That(greedy, Is.EqualTo(Array.IndexOf(logits, logits.Max())));
            Assert.That(new Sampler(c.Options with { Temperature = 1e-9f }, c.Size).Sample(logits), Is.EqualTo(greedy));
        }));

    [Test]
    public void A_seed_reproduces_and_another_differs() => Check.One(
        Config.QuickThrowOnFailure,
        Prop.ForAll(Gen.Choose(0, int.MaxValue - 1).ToArbitrary(), seed =>
        {
            int[] Draw(ulong s)
            {
                var sampler = new Sampler(new SamplingOptions { Temperature = 1, Seed = s }, 1000);
                return [.. Enumerable.Range(0, 8).Select(_ => sampler.Sample(new float[1000]))];
            }

            var (first, again, other) = (Draw((ulong)seed), Draw((ulong)seed), Draw((ulong)seed + 1));
            Assert.That(again, Is.EqualTo(first));
            Assert.That(other, Is.Not.EqualTo(first));
        }));

    private sealed record Case(int Size, int Seed, int Grid, SamplingOptions Options)
    {
        /// <summary>A few tokens, some of them twice.</summary>
        public int[] Prompt()
        {
            var random = new Random(Seed);
            return [.. Enumerable.Range(0, 10).Select(_ => random.Next(Size))];
        }

        /// <summary>The logits of a step: multiples of 1/Grid within ±8, a tenth of them forbidden, never all.</summary>
        public float[] Logits(int step)
        {
            var random = new Random(unchecked(Seed + step));
            var logits = new float[Size];
            for (var i = 0; i < Size; i++)
                logits[i] = random.Next(10) == 0 ? float.NegativeInfinity : random.Next(-8 * Grid, (8 * Grid) + 1) / (float)Grid;
            logits[random.Next(Size)] = 0;
            return logits;
        }
    }
}
