namespace Weft.Profile.Compare;

/// <summary>Confidence from repetitions alone (Efron 1979, "Bootstrap methods"): what drawing them again, with repetition, would give.</summary>
internal static class Bootstrap
{
    private const int Draws = 2000;
    private const double Tail = 0.025;

    // The same numbers give the same interval.
    private const int Seed = 1;

    /// <summary>The 95% interval of median(<paramref name="after"/>) / median(<paramref name="before"/>).</summary>
    public static (double Low, double High) RatioOfMedians(IReadOnlyList<double> before, IReadOnlyList<double> after)
    {
        var random = new Random(Seed);
        var (first, second) = (new double[before.Count], new double[after.Count]);
        var ratios = new double[Draws];
        for (var draw = 0; draw < Draws; draw++)
            ratios[draw] = MedianOfDraw(after, second) / MedianOfDraw(before, first);
        Array.Sort(ratios);
        return (ratios[(int)(Tail * Draws)], ratios[(int)((1 - Tail) * Draws)]);

        double MedianOfDraw(IReadOnlyList<double> samples, double[] draw)
        {
            for (var i = 0; i < draw.Length; i++)
                draw[i] = samples[random.Next(samples.Count)];
            Array.Sort(draw);
            return draw.Length % 2 == 1 ? draw[draw.Length / 2] : (draw[(draw.Length / 2) - 1] + draw[draw.Length / 2]) / 2;
        }
    }
}
