using FsCheck;
using FsCheck.Fluent;
using Weft.Cli.Probes;
using Weft.Cli.Verbs;

namespace Weft.Cli.Tests;

/// <summary>The arithmetic behind verify, eval and bench.</summary>
[TestFixture]
public sealed class LogitErrorTests
{
    [Test]
    public void Relative_rms_and_maximum_follow_their_definitions()
    {
        var error = LogitError.Between([1, 2, 3.5f], [1, 2, 3]);
        Assert.That(error.RelativeRms, Is.EqualTo(0.5 / Math.Sqrt(14)).Within(1e-12));
        Assert.That(error.Max, Is.EqualTo(0.5));
    }

    [Test]
    public void A_NaN_logit_is_below_no_tolerance()
    {
        var error = LogitError.Between([1, float.NaN], [1, 2]);
        Assert.That(error.RelativeRms <= 1e9, Is.False);
        Assert.That(error.Max <= 1e9, Is.False);
    }

    [Test]
    public void Errors_of_rows_add_up_to_the_error_of_the_whole() => Prop.ForAll(
        ArbMap.Default.ArbFor<(short, short)[]>(),
        pairs =>
        {
            float[] actual = [.. pairs.Select(p => p.Item1 / 16f)], expected = [.. pairs.Select(p => p.Item2 / 16f)];
            var half = pairs.Length / 2;
            var whole = LogitError.Between(actual, expected);
            var parts = LogitError.Between(actual.AsSpan(0, half), expected.AsSpan(0, half)).With(actual.AsSpan(half), expected.AsSpan(half));
            return whole.Max == parts.Max && Math.Abs(whole.SquaredError - parts.SquaredError) <= 1e-9 * whole.SquaredError;
        }).QuickCheckThrowOnFailure();

    [Test]
    public void Probabilities_of_a_row_sum_to_one()
    {
        float[] logits = [-3, 0, 88, 87.5f, -1000];
        var sum = Enumerable.Range(0, logits.Length).Sum(token => Math.Exp(-Verbs.LogProbability.Negative(logits, token)));
        Assert.That(sum, Is.EqualTo(1).Within(1e-12));
    }

    [Test]
    public void Large_logits_do_not_overflow() => Assert.That(Verbs.LogProbability.Negative([3e38f, 0], 0), Is.Zero);

    [TestCase(new double[] { 3, 1, 2 }, 2, 1, 3)]
    [TestCase(new double[] { 4, 1, 2, 3 }, 2.5, 1, 4)]
    [TestCase(new double[] { 7 }, 7, 7, 7)]
    public void A_spread_has_median_and_extremes(double[] samples, double median, double min, double max) =>
        Assert.That(Spread.Of(samples), Is.EqualTo(new Spread(median, min, max)));
}
