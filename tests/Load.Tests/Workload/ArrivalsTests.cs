using Weft.Load.Workload;

namespace Weft.Load.Tests.Workload;

/// <summary>Arrivals of an open loop are a Poisson process.</summary>
[TestFixture]
public sealed class ArrivalsTests
{
    private const int Count = 200_000;

    [TestCase(0.5)]
    [TestCase(250)]
    public void Gaps_have_the_mean_and_the_deviation_of_an_exponential(double rate)
    {
        var gaps = Gaps(rate);
        var mean = gaps.Average();
        Assert.That(mean, Is.EqualTo(1 / rate).Within(1.5).Percent);
        Assert.That(Math.Sqrt(gaps.Average(gap => (gap - mean) * (gap - mean))), Is.EqualTo(1 / rate).Within(2).Percent);
    }

    [Test]
    public void Gaps_are_distributed_exponentially()
    {
        var sorted = Gaps(10).Order().ToArray();
        var distance = sorted.Select((gap, i) => Math.Abs(1 - Math.Exp(-10 * gap) - (i + 0.5) / Count)).Max();
        Assert.That(distance, Is.LessThan(1.95 / Math.Sqrt(Count)), "Kolmogorov and Smirnov: one in a thousand of true exponentials would fail");
    }

    [Test]
    public void Counts_per_second_vary_as_much_as_their_mean()
    {
        var counts = Arrivals.Poisson(20, Random(3)).TakeWhile(time => time < TimeSpan.FromSeconds(5000))
            .CountBy(time => (int)time.TotalSeconds).ToDictionary();
        var perSecond = Enumerable.Range(0, 5000).Select(second => (double)counts.GetValueOrDefault(second)).ToArray();
        Assert.That(perSecond.Average(), Is.EqualTo(20).Within(2).Percent);
        Assert.That(perSecond.Average(count => Math.Pow(count - perSecond.Average(), 2)), Is.EqualTo(20).Within(10).Percent);
    }

    [Test]
    public void At_an_infinite_rate_all_are_due_at_once() =>
        Assert.That(Arrivals.Poisson(double.PositiveInfinity, Random(1)).Take(100), Has.All.EqualTo(TimeSpan.Zero));

    [Test]
    public void The_seed_decides()
    {
        var (first, again, other) = (Gaps(5, seed: 1), Gaps(5, seed: 1), Gaps(5, seed: 2));
        Assert.That(again, Is.EqualTo(first));
        Assert.That(other, Is.Not.EqualTo(first));
    }

    private static double[] Gaps(double rate, ulong seed = 1)
    {
        var times = Arrivals.Poisson(rate, Random(seed)).Take(Count).Select(time => time.TotalSeconds).Prepend(0).ToArray();
        return [.. times.Zip(times.Skip(1), (a, b) => b - a)];
    }

    private static RandomStream Random(ulong seed) => new(seed, RandomPurpose.Arrivals, 0);
}
