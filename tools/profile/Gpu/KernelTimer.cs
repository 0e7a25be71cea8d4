using Weft.Interop;

namespace Weft.Profile.Gpu;

/// <summary>
/// Times launches on the device: a graph of several launches, so that gaps between them are as in a step, replayed between two events.
/// </summary>
internal sealed class KernelTimer(CudaContext context, CudaStream stream) : IDisposable
{
    private const int WarmUps = 3;
    private const double TargetMilliseconds = 2;

    private readonly CudaEvent start = CudaEvent.Create(context, EventTiming.Timed);
    private readonly CudaEvent end = CudaEvent.Create(context, EventTiming.Timed);

    /// <summary>Microseconds of one launch: the median over <paramref name="repeats"/> replays, with the fastest, the slowest and all.</summary>
    /// <param name="launch">Submits launch number i; numbers let it rotate its inputs.</param>
    /// <param name="repeats">Measured replays.</param>
    public (double Median, double Min, double Max, double[] Sorted) Measure(Action<int> launch, int repeats)
    {
        // Once outside the graph: modules load and algorithms are chosen.
        launch(0);
        stream.Synchronize();
        var once = Replay(launch, 1, 1)[0];
        var count = (int)Math.Clamp(TargetMilliseconds * 1000 / Math.Max(once, 1), 1, 200);
        var times = Replay(launch, count, repeats);
        Array.Sort(times);
        return (times[times.Length / 2], times[0], times[^1], times);
    }

    public void Dispose()
    {
        start.Dispose();
        end.Dispose();
    }

    private double[] Replay(Action<int> launch, int count, int repeats)
    {
        stream.BeginCapture();
        for (var i = 0; i < count; i++)
            launch(i);
        using var graph = stream.EndCapture();
        using var exec = graph.Instantiate();
        for (var i = 0; i < WarmUps; i++)
            exec.Launch(stream);
        var times = new double[repeats];
        for (var i = 0; i < repeats; i++)
        {
            start.Record(stream);
            exec.Launch(stream);
            end.Record(stream);
            end.Synchronize();
            times[i] = CudaEvent.ElapsedMilliseconds(start, end) * 1000 / count;
        }

        return times;
    }
}
