namespace Weft.Load.Workload;

/// <summary>When requests of an open loop are due.</summary>
internal static class Arrivals
{
    /// <summary>
    /// A Poisson process without an end: times since the start, the first one gap after it, with exponential gaps of mean
    /// 1 / <paramref name="rate"/> seconds. At an infinite rate all are due at once.
    /// </summary>
    public static IEnumerable<TimeSpan> Poisson(double rate, RandomStream random)
    {
        for (var seconds = 0.0; ;)
        {
            seconds += random.NextExponential() / rate;
            yield return TimeSpan.FromSeconds(seconds);
        }
    }
}
