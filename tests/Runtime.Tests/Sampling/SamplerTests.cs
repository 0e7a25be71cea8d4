using System.Diagnostics;
using Weft.Reference;
using Weft.Sampling;

namespace Weft.Runtime.Tests.Sampling;

/// <summary>The sampler's rules at their edges; <see cref="SamplerPropertyTests"/> compares it with the definition at random.</summary>
public sealed class SamplerTests
{
    private static readonly SamplingOptions Hot = new() { Temperature = 1, Seed = 7 };

    [TestCase(1)]
    [TestCase(7)]
    [TestCase(8)]
    [TestCase(17)]
    [TestCase(1003)]
    public void Greedy_takes_the_largest_and_the_lowest_of_equals(int size)
    {
        for (var place = 0; place < size; place++)
        {
            var logits = new float[size];
            Array.Fill(logits, -3f);
            logits[place] = logits[size - 1] = 2.5f;
            Assert.That(new Sampler(new SamplingOptions(), size).Sample(logits), Is.EqualTo(place));
        }
    }

    [Test]
    public void A_NaN_anywhere_is_an_error([Values(0f, 1f)] float temperature, [Values(1, 8, 16, 37)] int size)
    {
        for (var place = 0; place < size; place++)
        {
            var logits = new float[size];
            logits[place] = float.NaN;
            var sampler = new Sampler(Hot with { Temperature = temperature }, size);
            Assert.That(() => sampler.Sample(logits), Throws.TypeOf<WeftException>().With.Message.Contains("not a number"));
        }
    }

    [Test]
    public void Infinite_or_only_forbidden_logits_are_errors([Values(0f, 1f)] float temperature)
    {
        var sampler = new Sampler(Hot with { Temperature = temperature }, 2);
        Assert.That(() => sampler.Sample([1, float.PositiveInfinity]), Throws.TypeOf<WeftException>().With.Message.Contains("infinite"));
        Assert.That(
            () => sampler.Sample([float.NegativeInfinity, float.NegativeInfinity]),
            Throws.TypeOf<WeftException>().With.Message.Contains("forbidden"));
    }

    [TestCase(0, 1f, 0f)]
    [TestCase(5, 1f, 0f)]
    [TestCase(0, 0.9f, 0f)]
    [TestCase(0, 1f, 0.2f)]
    [TestCase(700, 0.999f, 0.001f)]
    public void A_single_allowed_token_is_always_drawn(int topK, float topP, float minP)
    {
        foreach (var size in new[] { 1, 5, 16, 1003 })
        {
            var sampler = new Sampler(Hot with { TopK = topK, TopP = topP, MinP = minP }, size);
            for (var place = 0; place < size; place += 3)
            {
                var logits = new float[size];
                Array.Fill(logits, float.NegativeInfinity);
                logits[place] = -1e30f;
                Assert.That(sampler.Sample(logits), Is.EqualTo(place));
            }
        }
    }

    [Test]
    public void Huge_logits_and_tiny_temperatures_do_not_overflow()
    {
        foreach (var temperature in new[] { float.Epsilon, 1e-6f, 1f })
        {
            var options = Hot with { Temperature = temperature, TopK = 3, TopP = 0.9f, MinP = 0.1f };
            Assert.That(new Sampler(options, 4).Sample([-float.MaxValue, float.MaxValue, 0, 1e38f]), Is.EqualTo(1));
        }

        // The largest temperature levels even the largest difference: any token may come.
        var level = new Sampler(Hot with { Temperature = float.MaxValue }, 4);
        var drawn = Enumerable.Range(0, 200).Select(_ => level.Sample([-1e38f, 1e38f, 0, 1])).ToHashSet();
        Assert.That(drawn, Has.Count.EqualTo(4));
    }

    [Test]
    public void Among_equal_logits_top_k_keeps_the_lowest_ids()
    {
        var sampler = new Sampler(Hot with { TopK = 3 }, 600);
        var drawn = Enumerable.Range(0, 200).Select(_ => sampler.Sample(new float[600])).ToHashSet();
        Assert.That(drawn, Is.EquivalentTo(new[] { 0, 1, 2 }));
    }

    [Test]
    public void Negative_and_positive_zero_are_equal()
    {
        var sampler = new Sampler(Hot with { TopK = 1 }, 3);
        Assert.That(sampler.Sample([-1f, -0f, 0f]), Is.EqualTo(1));
    }

    [Test]
    public void The_draw_follows_the_distribution()
    {
        float[] logits = [1, 0.5f, -1, 2, 0, 1.5f, -2, 0.25f];
        var options = Hot with { Temperature = 0.8f, TopP = 0.93f };
        var expected = ReferenceSampler.Distribution(logits, options, [], []);
        const int Draws = 100_000;
        var counts = new int[logits.Length];
        var sampler = new Sampler(options, logits.Length);
        for (var i = 0; i < Draws; i++)
            counts[sampler.Sample(logits.ToArray())]++;

        var kept = Enumerable.Range(0, logits.Length).Where(i => expected[i] > 0).ToArray();
        Assert.That(kept, Has.Length.EqualTo(5));
        Assert.That(counts.Sum(), Is.EqualTo(kept.Sum(i => counts[i])), "nothing outside the kept set");
        var chiSquare = kept.Sum(i => Math.Pow(counts[i] - (Draws * expected[i]), 2) / (Draws * expected[i]));
        Assert.That(chiSquare, Is.LessThan(18.5), "the 0.999 quantile of chi-square with 4 degrees of freedom");
    }

    [Test]
    public void The_repetition_penalty_counts_the_prompt_and_the_others_do_not()
    {
        var repetition = new Sampler(new SamplingOptions { RepetitionPenalty = 2 }, 3);
        repetition.Observe([0, 0]);
        Assert.That(repetition.Sample([3, 2, 1]), Is.EqualTo(1));

        var presence = new Sampler(new SamplingOptions { PresencePenalty = 1.5f }, 3);
        presence.Observe([0, 0]);
        Assert.That(presence.Sample([3, 2, 1]), Is.Zero);
        Assert.That(presence.Sample([3, 2, 1]), Is.EqualTo(1), "generated now");
    }

    [Test]
    public void The_frequency_penalty_grows_with_every_time_and_presence_does_not()
    {
        var frequency = new Sampler(new SamplingOptions { FrequencyPenalty = 0.5f }, 2);
        Assert.That(Enumerable.Range(0, 4).Select(_ => frequency.Sample([1.25f, 0])), Is.EqualTo(new[] { 0, 0, 0, 1 }));
        var presence = new Sampler(new SamplingOptions { PresencePenalty = 0.5f }, 2);
        Assert.That(Enumerable.Range(0, 4).Select(_ => presence.Sample([1.25f, 0])), Is.All.Zero);
    }

    [Test]
    public void Forbidden_tokens_stay_forbidden_under_penalties()
    {
        var sampler = new Sampler(new SamplingOptions { RepetitionPenalty = 0.5f, PresencePenalty = -2 }, 2);
        sampler.Observe([0]);
        Assert.That(sampler.Sample([float.NegativeInfinity, -100]), Is.EqualTo(1));
    }

    [Test]
    public void A_prompt_token_outside_the_vocabulary_is_named([Values(-1, 3)] int token) =>
        Assert.That(() => new Sampler(new SamplingOptions(), 3).Observe([token]), Throws.TypeOf<WeftException>().With.Message.Contains($"id {token}"));

    [Test]
    public void Without_a_seed_samplers_differ_and_name_their_seed()
    {
        var a = new Sampler(Hot with { Seed = null }, 1000);
        var b = new Sampler(Hot with { Seed = null }, 1000);
        Assert.That(a.Seed, Is.Not.EqualTo(b.Seed));
        var again = new Sampler(Hot with { Seed = a.Seed }, 1000);
        Assert.That(again.Sample(new float[1000]), Is.EqualTo(a.Sample(new float[1000])));
    }

    private static IEnumerable<TestCaseData> BadOptions()
    {
        static TestCaseData Case(SamplingOptions options, string name, string value) =>
            new TestCaseData(options, name, value).SetName($"An option out of range is named: {name} {value}");
        yield return Case(new() { Temperature = -1 }, "temperature", "-1");
        yield return Case(new() { Temperature = float.NaN }, "temperature", "NaN");
        yield return Case(new() { Temperature = float.PositiveInfinity }, "temperature", "Infinity");
        yield return Case(new() { TopK = -1 }, "top_k", "-1");
        yield return Case(new() { TopP = 0 }, "top_p", "0");
        yield return Case(new() { TopP = 1.5f }, "top_p", "1.5");
        yield return Case(new() { TopP = float.NaN }, "top_p", "NaN");
        yield return Case(new() { MinP = -0.1f }, "min_p", "-0.1");
        yield return Case(new() { MinP = 2 }, "min_p", "2");
        yield return Case(new() { RepetitionPenalty = 0 }, "repetition_penalty", "0");
        yield return Case(new() { PresencePenalty = 3 }, "presence_penalty", "3");
        yield return Case(new() { FrequencyPenalty = -3 }, "frequency_penalty", "-3");
    }

    [TestCaseSource(nameof(BadOptions))]
    public void An_option_out_of_range_is_named(SamplingOptions options, string name, string value) =>
        Assert.That(
            () => new Sampler(options, 10),
            Throws.TypeOf<OptionException>().With.Property("Option").EqualTo(name).And.Message.Contains($"{name} is {value}").And.Message.Contains("must be"));

    [Test]
    public void Sampling_allocates_no_memory()
    {
        const int V = 20_000;
        var source = Noise(V);
        var options = Hot with { TopK = 500, TopP = 0.9f, MinP = 0.01f, RepetitionPenalty = 1.1f, PresencePenalty = 0.1f };
        foreach (var variant in new[] { options, Hot, Hot with { TopP = 0.5f }, new SamplingOptions() })
        {
            var sampler = new Sampler(variant, V);
            var logits = source.ToArray();
            sampler.Sample(logits);
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 10; i++)
            {
                source.CopyTo(logits, 0);
                sampler.Sample(logits);
            }

            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        }
    }

    /// <summary>A wide guard against a sort or worse creeping in; the time of each case goes to the test's output.</summary>
    [Test]
    public void A_quarter_million_tokens_take_milliseconds()
    {
        const int V = 262_144;
        var source = Noise(V);
        var flat = new float[V];
        (string Name, SamplingOptions Options, float[] Logits)[] cases =
        [
            ("greedy", new(), source), ("plain", Hot, source), ("top-k", Hot with { TopK = 50 }, source),
            ("top-p", Hot with { TopP = 0.95f }, source), ("min-p", Hot with { MinP = 0.05f }, source),
            ("top-k, flat", Hot with { TopK = 50 }, flat), ("top-p, flat", Hot with { TopP = 0.95f }, flat),
        ];
        foreach (var (name, options, logits) in cases)
        {
            var sampler = new Sampler(options, V);
            var row = new float[V];
            var best = TimeSpan.MaxValue;
            for (var i = 0; i < 40; i++)
            {
                logits.CopyTo(row, 0);
                var start = Stopwatch.GetTimestamp();
                sampler.Sample(row);
                best = TimeSpan.FromTicks(Math.Min(best.Ticks, Stopwatch.GetElapsedTime(start).Ticks));
            }

            TestContext.Out.WriteLine($"{name}: {best.TotalMilliseconds:F3} ms");
            Assert.That(best.TotalMilliseconds, Is.LessThan(100), name);
        }
    }

    private static float[] Noise(int size)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, size).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(random.NextDouble() * Math.Tau) * 2.5))];
    }
}
