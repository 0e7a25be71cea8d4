namespace Weft.Load.Report;

/// <summary>How one kind of time is distributed, in milliseconds.</summary>
/// <param name="Mean">The mean.</param>
/// <param name="P50">The median.</param>
/// <param name="P90">90% are no longer.</param>
/// <param name="P95">95% are no longer.</param>
/// <param name="P99">99% are no longer.</param>
/// <param name="Max">The longest.</param>
public sealed record LatencySummary(double Mean, double P50, double P90, double P95, double P99, double Max)
{
    /// <summary>Summarises <paramref name="times"/>; null when there are none.</summary>
    internal static LatencySummary? Of(IEnumerable<double> times)
    {
        var sorted = times.ToArray();
        if (sorted.Length == 0)
            return null;
        Array.Sort(sorted);
        return new(
            sorted.Average(), Percentile(sorted, 0.5), Percentile(sorted, 0.9), Percentile(sorted, 0.95), Percentile(sorted, 0.99), sorted[^1]);
    }

    /// <summary>
    /// The value at <paramref name="share"/> of the way through the sorted values, on the line between the two nearest: the seventh definition of
    /// Hyndman and Fan 1996 (Sample quantiles in statistical packages), which NumPy and therefore the load generators of other servers use.
    /// </summary>
    internal static double Percentile(ReadOnlySpan<double> sorted, double share)
    {
        var place = share * (sorted.Length - 1);
        var below = (int)place;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }
}
