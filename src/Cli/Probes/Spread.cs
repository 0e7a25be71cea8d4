namespace Weft.Cli.Probes;

/// <summary>Several measurements of one thing.</summary>
/// <param name="Median">The middle one (the mean of the two middle ones of an even count).</param>
/// <param name="Min">The smallest.</param>
/// <param name="Max">The largest.</param>
internal sealed record Spread(double Median, double Min, double Max)
{
    /// <summary>Summarises <paramref name="samples"/>, of which there is at least one.</summary>
    public static Spread Of(IReadOnlyCollection<double> samples)
    {
        var sorted = samples.Order().ToArray();
        var middle = sorted.Length / 2;
        return new(sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2, sorted[0], sorted[^1]);
    }
}
