using Weft.Profile.Compare;
using Weft.Profile.Documents;

namespace Weft.Kernels.Tests.Profile;

/// <summary>What <c>weft profile compare</c> takes for a regression, and what it does not compare.</summary>
[TestFixture]
public sealed class ComparisonTests
{
    private const double Threshold = 0.05;

    // (metric, base, head, verdict)
    [TestCase("registers", 40, 42, "Same")]
    [TestCase("registers", 40, 43, "Worse")]
    [TestCase("registers", 40, 37, "Better")]
    [TestCase("spill_store_bytes", 0, 4, "Worse")]
    [TestCase("spill_store_bytes", 400, 404, "Worse")]
    [TestCase("bank_conflicts", 0, 1, "Worse")]
    [TestCase("global_sectors", 1000, 1050, "Same")]
    [TestCase("global_sectors", 1000, 1051, "Worse")]
    [TestCase("occupancy", 0.5, 0.49, "Worse")]
    [TestCase("occupancy", 0.5, 0.75, "Better")]
    [TestCase("active_lanes", 32, 30, "Worse")]
    [TestCase("bytes", 10, 1000, "Same")]
    [TestCase("a_figure_of_the_future", 1, 2, "Same")]
    public void A_figure_is_worse_beyond_the_threshold_or_at_all_where_it_is_strict(string metric, double from, double to, string verdict)
    {
        var comparison = Comparison.Of(Document(Row("norm", (metric, from))), Document(Row("norm", (metric, to))), Threshold);
        Assert.That(comparison.Changes.Single().Verdict.ToString(), Is.EqualTo(verdict));
        Assert.That(comparison.HasRegression, Is.EqualTo(verdict == "Worse"));
    }

    [Test]
    public void Times_are_worse_where_the_whole_interval_is()
    {
        double[] before = [100, 101, 99, 100, 102, 98, 100, 101, 99];
        Assert.That(Time(before, [.. before.Select(time => time * 1.2)]).Verdict, Is.EqualTo(Verdict.Worse));
        Assert.That(Time(before, [.. before.Select(time => time * 0.8)]).Verdict, Is.EqualTo(Verdict.Better));
        Assert.That(Time(before, [.. before.Select(time => time * 1.02)]).Verdict, Is.EqualTo(Verdict.Same));
        // The median is 10% up, but nine noisy repetitions cannot tell.
        Assert.That(Time(before, [60, 170, 110, 70, 160, 111, 65, 150, 109]).Verdict, Is.EqualTo(Verdict.Same));
    }

    [Test]
    public void An_interval_holds_the_true_ratio_and_narrows_with_repetitions()
    {
        var random = new Random(5);
        double[] Samples(int count, double median) => [.. Enumerable.Range(0, count).Select(_ => median * (0.9 + (0.2 * random.NextDouble())))];
        var few = Bootstrap.RatioOfMedians(Samples(9, 100), Samples(9, 130));
        var many = Bootstrap.RatioOfMedians(Samples(400, 100), Samples(400, 130));
        Assert.That(few.Low, Is.LessThan(1.3));
        Assert.That(few.High, Is.GreaterThan(1.3));
        Assert.That(many.High - many.Low, Is.LessThan((few.High - few.Low) / 2));
        Assert.That((many.Low + many.High) / 2, Is.EqualTo(1.3).Within(0.05));
    }

    [Test]
    public void Rows_that_only_one_has_are_named()
    {
        var comparison = Comparison.Of(Document(Row("norm"), Row("gone")), Document(Row("norm"), Row("new")), Threshold);
        Assert.That(comparison.Added.Select(row => row.Kernel), Is.EqualTo(new[] { "new" }));
        Assert.That(comparison.Removed.Select(row => row.Kernel), Is.EqualTo(new[] { "gone" }));
        Assert.That(comparison.HasRegression, Is.False);
    }

    [Test]
    public void What_is_not_comparable_is_said()
    {
        var document = Document(Row("norm"));
        void Fails(ProfileDocument other, string message) =>
            Assert.That(() => Comparison.Of(document, other, Threshold), Throws.InstanceOf<WeftException>().With.Message.Contains(message));
        Fails(document with { Profile = "sim" }, "the other a sim profile");
        Fails(document with { Environment = new Dictionary<string, string> { ["compiler"] = "NVRTC 13.0" } }, "compiler is NVRTC 12.4 in the baseline and NVRTC 13.0");
        Fails(Document(Row("norm") with { Target = "sm_100" }), "the baseline is of sm_80, the other of sm_100");
        Fails(Document(Row("norm"), Row("norm")), "two rows of norm");
    }

    [Test]
    public void Counted_work_in_common_does_not_hide_that_no_compiled_kernel_is()
    {
        static ProfileDocument Of(string architecture) => Document(
            Row("norm") with { Shape = "", Instance = "weft::norm", Target = architecture }, Row("norm") with { Target = "H200" });
        Assert.That(
            () => Comparison.Of(Of("sm_80"), Of("sm_86"), Threshold),
            Throws.InstanceOf<WeftException>().With.Message.EqualTo("not comparable: no compiled kernel in common; the baseline is of sm_80, the other of sm_86"));
        Assert.That(Comparison.Of(Of("sm_80"), Of("sm_80"), Threshold).Changes, Is.Not.Null);
    }

    [TestCase("{}", "lacks profile")]
    [TestCase("[1]", "is not a profile")]
    [TestCase("not JSON", "is not a profile")]
    [TestCase("""{"format":7,"profile":"static","environment":{},"rows":[]}""", "is of format 7; this version reads 1")]
    [TestCase("""{"format":1,"profile":"static","environment":{},"rows":[]}""", "has no rows")]
    public void A_file_that_is_no_baseline_is_said(string text, string message)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text);
            Assert.That(() => ProfileDocument.Read(path), Throws.InstanceOf<WeftException>().With.Message.Contains(message));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void What_is_written_is_read_back()
    {
        var path = Path.GetTempFileName();
        var document = Document(Row("norm", ("registers", 3), ("occupancy", 0.5)), Row("gemv") with { Samples = new Dictionary<string, double[]> { ["time_us"] = [1.5, 2] } });
        document.Write(path);
        var back = ProfileDocument.Read(path);
        Assert.That(File.ReadAllLines(path), Has.Length.EqualTo(4));
        File.Delete(path);
        Assert.That(back.Environment, Is.EqualTo(document.Environment));
        Assert.That(back.Rows.Select(row => row.Key), Is.EqualTo(document.Rows.Select(row => row.Key)));
        Assert.That(back.Rows[0].Metrics, Is.EqualTo(document.Rows[0].Metrics));
        Assert.That(back.Rows[1].Samples!["time_us"], Is.EqualTo(new[] { 1.5, 2 }));
    }

    private static Change Time(double[] before, double[] after)
    {
        static ProfileRow Of(double[] times) =>
            Row("norm", ("time_us", times.Order().ElementAt(times.Length / 2))) with { Samples = new Dictionary<string, double[]> { ["time_us"] = times } };
        return Comparison.Of(Document(Of(before)), Document(Of(after)), Threshold).Changes.Single();
    }

    private static ProfileDocument Document(params ProfileRow[] rows) => ProfileDocument.Of("static", [("compiler", "NVRTC 12.4")], rows);

    private static ProfileRow Row(string kernel, params (string Name, double Value)[] metrics) =>
        new(kernel, "", "1×2", "sm_80", metrics.ToDictionary(metric => metric.Name, metric => metric.Value));
}
