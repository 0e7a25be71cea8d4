using Weft.Profile.Documents;

namespace Weft.Profile.Compare;

/// <summary>How a figure changed.</summary>
internal enum Verdict
{
    /// <summary>Not, or within the threshold.</summary>
    Same,

    /// <summary>For the better.</summary>
    Better,

    /// <summary>For the worse.</summary>
    Worse,
}

/// <summary>One figure in two documents.</summary>
/// <param name="Row">In the new one.</param>
/// <param name="Metric">Which figure.</param>
/// <param name="Base">Its old value.</param>
/// <param name="Head">Its new value.</param>
/// <param name="Low">Of timed figures, the 95% confidence interval of head / base.</param>
/// <param name="High">Its other end; null where the figure is exact.</param>
/// <param name="Verdict">What that means.</param>
internal sealed record Change(ProfileRow Row, Metric Metric, double Base, double Head, double? Low, double? High, Verdict Verdict)
{
    /// <summary>head / base − 1; infinite where there was nothing.</summary>
    public double Relative => Base == 0 ? (Head == 0 ? 0 : double.PositiveInfinity) : (Head / Base) - 1;
}

/// <summary>Two profiles of the same kind, row by row.</summary>
/// <param name="Changes">Every figure of every row that both have, in the new document's order.</param>
/// <param name="Added">Rows that only the new one has.</param>
/// <param name="Removed">Rows that only the old one has.</param>
internal sealed record Comparison(IReadOnlyList<Change> Changes, IReadOnlyList<ProfileRow> Added, IReadOnlyList<ProfileRow> Removed)
{
    /// <summary>Something is worse.</summary>
    public bool HasRegression => Changes.Any(change => change.Verdict == Verdict.Worse);

    /// <summary>Matches rows by kernel, shape and target, or by instance where there is no shape.</summary>
    /// <param name="from">The baseline.</param>
    /// <param name="to">What is held to it.</param>
    /// <param name="threshold">Share by which a figure may get worse: 0.05. Strict metrics may not.</param>
    /// <exception cref="WeftException">The two are not comparable; the message says why.</exception>
    public static Comparison Of(ProfileDocument from, ProfileDocument to, double threshold)
    {
        if (from.Profile != to.Profile)
            throw new WeftException($"the baseline is a {from.Profile} profile, the other a {to.Profile} profile");
        foreach (var name in from.Environment.Keys.Union(to.Environment.Keys).Order(StringComparer.Ordinal))
        {
            var (old, current) = (from.Environment.GetValueOrDefault(name, "none"), to.Environment.GetValueOrDefault(name, "none"));
            if (old != current)
                throw new WeftException($"not comparable: {name} is {old} in the baseline and {current} in the other; make both with the same");
        }

        var olds = Index(from);
        var news = Index(to);
        var common = to.Rows.Where(row => olds.ContainsKey(row.Key)).ToList();
        if (common.Count == 0)
            throw new WeftException($"not comparable: no row in common; the baseline is of {Targets(from.Rows)}, the other of {Targets(to.Rows)}");
        // Counted work is the same whatever it was compiled for, and would hide that nothing else is.
        var (oldCompiled, newCompiled) = (from.Rows.Where(IsCompiled).ToList(), to.Rows.Where(IsCompiled).ToList());
        if (oldCompiled.Count > 0 && newCompiled.Count > 0 && !common.Exists(IsCompiled))
            throw new WeftException($"not comparable: no compiled kernel in common; the baseline is of {Targets(oldCompiled)}, the other of {Targets(newCompiled)}");

        return new(
            [.. common.SelectMany(row => Compare(olds[row.Key], row, threshold))],
            [.. to.Rows.Where(row => !olds.ContainsKey(row.Key))],
            [.. from.Rows.Where(row => !news.ContainsKey(row.Key))]);
    }

    private static Dictionary<(string, string, string, string), ProfileRow> Index(ProfileDocument document)
    {
        var rows = new Dictionary<(string, string, string, string), ProfileRow>();
        foreach (var row in document.Rows)
        {
            if (!rows.TryAdd(row.Key, row))
                throw new WeftException($"a profile has two rows of {row.Kernel} {row.Shape}{row.Instance} on {row.Target}");
        }

        return rows;
    }

    private static bool IsCompiled(ProfileRow row) => row.Shape.Length == 0;

    private static string Targets(IEnumerable<ProfileRow> rows) => string.Join(", ", rows.Select(row => row.Target).Distinct());

    private static IEnumerable<Change> Compare(ProfileRow from, ProfileRow to, double threshold)
    {
        foreach (var name in from.Metrics.Keys.Union(to.Metrics.Keys))
        {
            // A figure that is not there is 0. Names that this version does not know are not judged.
            var metric = Metric.All.GetValueOrDefault(name) ?? new(name, "", Worse.Never);
            var (old, current) = (from.Metrics.GetValueOrDefault(name), to.Metrics.GetValueOrDefault(name));
            if (from.Samples?.GetValueOrDefault(name) is { Length: > 1 } before && to.Samples?.GetValueOrDefault(name) is { Length: > 1 } after)
            {
                var (low, high) = Bootstrap.RatioOfMedians(before, after);
                yield return new(to, metric, old, current, low, high, JudgeTimed(metric, low, high, threshold));
            }
            else
            {
                yield return new(to, metric, old, current, null, null, Judge(metric, old, current, metric.IsStrict ? 0 : threshold));
            }
        }
    }

    // The whole interval lies beyond the threshold.
    private static Verdict JudgeTimed(Metric metric, double low, double high, double threshold) =>
        low > 1 + threshold ? Of(metric, isHigher: true)
        : high < 1 - threshold ? Of(metric, isHigher: false)
        : Verdict.Same;

    private static Verdict Judge(Metric metric, double old, double current, double threshold) =>
        current > old * (1 + threshold) ? Of(metric, isHigher: true)
        : current < old * (1 - threshold) ? Of(metric, isHigher: false)
        : Verdict.Same;

    private static Verdict Of(Metric metric, bool isHigher) => metric.Worse switch
    {
        Worse.Higher => isHigher ? Verdict.Worse : Verdict.Better,
        Worse.Lower => isHigher ? Verdict.Better : Verdict.Worse,
        _ => Verdict.Same,
    };
}
