using System.Diagnostics;

namespace Weft.Profile.Probes;

/// <summary>Runs the same work on several threads at once and measures from the first start to the last end.</summary>
public static class ParallelTimer
{
    /// <summary>Runs <paramref name="work"/>(0 … threads − 1), all released together; returns the time that the slowest needed.</summary>
    public static TimeSpan Run(int threads, Action<int> work)
    {
        var starts = new long[threads];
        var ends = new long[threads];
        using var gate = new Barrier(threads);
        var workers = Enumerable.Range(0, threads).Select(index => new Thread(() =>
        {
            gate.SignalAndWait();
            starts[index] = Stopwatch.GetTimestamp();
            work(index);
            ends[index] = Stopwatch.GetTimestamp();
        })).ToArray();
        foreach (var worker in workers)
            worker.Start();
        foreach (var worker in workers)
            worker.Join();
        return Stopwatch.GetElapsedTime(starts.Min(), ends.Max());
    }
}
