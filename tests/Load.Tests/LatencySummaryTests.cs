using Weft.Load.Report;
using Weft.Load.Workload;

namespace Weft.Load.Tests;

/// <summary>Percentiles against their plain definition.</summary>
[TestFixture]
public sealed class LatencySummaryTests
{
    [Test]
    public void Four_times_are_summarised_as_numpy_does() =>
        Assert.That(LatencySummary.Of([4, 1, 3, 2]), Is.EqualTo(new LatencySummary(2.5, 2.5, 3.7, 3.85, 3.97, 4)).Using<LatencySummary>(Close));

    [Test]
    public void One_time_is_all_of_its_percentiles() => Assert.That(LatencySummary.Of([7]), Is.EqualTo(new LatencySummary(7, 7, 7, 7, 7, 7)));

    [Test]
    public void Of_no_times_there_is_no_summary() => Assert.That(LatencySummary.Of([]), Is.Null);

    [TestCase(2)]
    [TestCase(10)]
    [TestCase(101)]
    [TestCase(1000)]
    public void Percentiles_lie_on_the_line_through_the_sorted_values(int count)
    {
        var random = new RandomStream(1, RandomPurpose.Request, count);
        var values = Enumerable.Range(0, count).Select(_ => random.NextExponential()).ToArray();
        var sorted = values.Order().ToArray();
        foreach (var share in (double[])[0, 0.5, 0.9, 0.95, 0.99, 1])
        {
            // The plain definition: the i-th of n sorted values lies at (i − 1) / (n − 1); between them the value is linear.
            var right = Enumerable.Range(0, count).First(i => i / (count - 1.0) >= share - 1e-12);
            var expected = right == 0 ? sorted[0] : sorted[right - 1] + (share * (count - 1) - (right - 1)) * (sorted[right] - sorted[right - 1]);
            Assert.That(LatencySummary.Percentile(sorted, share), Is.EqualTo(expected).Within(1e-9), $"{share}");
        }

        var summary = LatencySummary.Of(values)!;
        Assert.That(summary.Mean, Is.EqualTo(values.Sum() / count).Within(1e-9));
        Assert.That(summary.Max, Is.EqualTo(sorted[^1]));
        Assert.That(summary.P99, Is.EqualTo(LatencySummary.Percentile(sorted, 0.99)));
    }

    private static bool Close(LatencySummary a, LatencySummary b) =>
        Values(a).Zip(Values(b)).All(pair => Math.Abs(pair.First - pair.Second) < 1e-9);

    private static double[] Values(LatencySummary summary) => [summary.Mean, summary.P50, summary.P90, summary.P95, summary.P99, summary.Max];
}
