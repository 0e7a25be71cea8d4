using Weft.Load.Workload;

namespace Weft.Load.Tests.Workload;

/// <summary>Distributions of token counts: what reads as one, and what is drawn from it.</summary>
[TestFixture]
public sealed class TokenDistributionTests
{
    private const int Draws = 200_000;

    [TestCase("64", 64)]
    [TestCase(" 1 ", 1)]
    [TestCase("32-512", 272)]
    [TestCase("7-7", 7)]
    [TestCase("normal:256,64", 256)]
    [TestCase("normal: 256.5 , 0", 256.5)]
    [TestCase("lognormal:5.0,0.6", 177.6827)]
    [TestCase("lognormal:0,0", 1)]
    public void Every_form_reads_and_knows_its_mean(string text, double mean)
    {
        Assert.That(TokenDistribution.TryParse(text, out var distribution), Is.True);
        Assert.That(distribution!.Mean, Is.EqualTo(mean).Within(1e-3));
        Assert.That(distribution.Text, Is.EqualTo(text.Trim()));
    }

    [TestCase(null)]
    [TestCase("")]
    [TestCase("0")]
    [TestCase("-5")]
    [TestCase("1.5")]
    [TestCase("1e3")]
    [TestCase("10000001")]
    [TestCase("99999999999999999999")]
    [TestCase("512-32")]
    [TestCase("0-5")]
    [TestCase("1-2-3")]
    [TestCase("5-")]
    [TestCase("normal:256")]
    [TestCase("normal:256,-1")]
    [TestCase("normal:0,5")]
    [TestCase("normal:nan,1")]
    [TestCase("normal:256,inf")]
    [TestCase("normal:1,2,3")]
    [TestCase("lognormal:50,1")]
    [TestCase("lognormal:-5,0.1")]
    [TestCase("lognormal:")]
    [TestCase("uniform:1,2")]
    [TestCase("Normal:256,64")]
    public void Anything_else_does_not_read(string? text)
    {
        Assert.That(TokenDistribution.TryParse(text, out var distribution), Is.False);
        Assert.That(distribution, Is.Null);
    }

    [Test]
    public void A_constant_is_always_the_same() => Assert.That(Draw("64").Distinct(), Is.EqualTo(new[] { 64.0 }));

    [Test]
    public void A_range_takes_every_value_equally_often()
    {
        var counts = Draw("3-12").CountBy(value => value).ToDictionary();
        Assert.That(counts.Keys, Is.EquivalentTo(Enumerable.Range(3, 10)));
        // Ten counts of a binomial with mean 20,000 and deviation 134: five deviations.
        Assert.That(counts.Values, Has.All.EqualTo(Draws / 10).Within(670));
    }

    [TestCase("normal:256,64", 256, 64)]
    [TestCase("lognormal:5.0,0.6", 177.68, 116.9)]
    [TestCase("32-512", 272, 138.85)]
    public void Mean_and_deviation_are_those_of_the_distribution(string text, double mean, double deviation)
    {
        var values = Draw(text);
        Assert.That(values.Average(), Is.EqualTo(mean).Within(1).Percent);
        Assert.That(Deviation(values), Is.EqualTo(deviation).Within(2).Percent);
    }

    [Test]
    public void Half_of_a_lognormal_lies_below_the_exponential_of_its_place() =>
        Assert.That(Draw("lognormal:5.0,0.6").Count(value => value <= Math.Exp(5)), Is.EqualTo(Draws / 2).Within(2).Percent);

    [Test]
    public void No_count_is_below_one() => Assert.That(Draw("normal:2,50").Min(), Is.EqualTo(1));

    [Test]
    public void Equal_seeds_draw_equal_counts_and_neighbouring_ones_do_not()
    {
        var (first, again, other) = (Draw("32-512", seed: 7), Draw("32-512", seed: 7), Draw("32-512", seed: 8));
        Assert.That(again, Is.EqualTo(first));
        // Unrelated draws from 481 values agree once in 481.
        var agreeing = first.Zip(other).Count(pair => pair.First == pair.Second);
        Assert.That(agreeing, Is.EqualTo(Draws / 481.0).Within(25).Percent);
    }

    [Test]
    public void First_draws_of_neighbouring_requests_are_unrelated()
    {
        Assert.That(TokenDistribution.TryParse("1-100", out var distribution), Is.True);
        var firsts = Enumerable.Range(0, Draws).Select(i => (double)distribution!.Next(new RandomStream(0, RandomPurpose.Request, i))).ToArray();
        Assert.That(firsts.Average(), Is.EqualTo(50.5).Within(1).Percent);
        var products = firsts.Zip(firsts.Skip(1), (a, b) => (a - 50.5) * (b - 50.5)).Average();
        Assert.That(products / Math.Pow(Deviation(firsts), 2), Is.Zero.Within(0.012), "five deviations of the correlation of unrelated values");
    }

    private static double[] Draw(string text, ulong seed = 1)
    {
        Assert.That(TokenDistribution.TryParse(text, out var distribution), Is.True);
        var random = new RandomStream(seed, RandomPurpose.Request, 0);
        return [.. Enumerable.Range(0, Draws).Select(_ => (double)distribution!.Next(random))];
    }

    private static double Deviation(double[] values)
    {
        var mean = values.Average();
        return Math.Sqrt(values.Average(value => (value - mean) * (value - mean)));
    }
}
