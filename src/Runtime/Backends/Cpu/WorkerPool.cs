using System.Runtime.CompilerServices;
namespace Weft.Backends.Cpu;

/// <summary>One parallel piece of work: items that any thread may take.</summary>
internal abstract class ParallelWork
{
    /// <summary>Runs item <paramref name="item"/> on thread <paramref name="thread"/> (0 is the caller).</summary>
    public abstract void Run(int item, int thread);
}

/// <summary>
/// Persistent threads that share the items of one <see cref="ParallelWork"/> at a time. A step has hundreds of short parallel
/// pieces, so workers spin between them and sleep only when nothing came for a while. Running work allocates nothing.
/// </summary>
internal sealed class WorkerPool : IDisposable
{
    // About a millisecond: longer than any gap inside a step, short enough that an idle process costs nothing.
    private const int SpinsBeforeSleep = 20_000;

    private readonly Thread[] threads;
    private readonly Lock running = new();
    private readonly object wake = new();
    private volatile ParallelWork? work;
    private Exception? failure;
    private volatile bool stopping;
    private volatile int sleepers;
    private PaddedCounter epoch;
    private PaddedCounter finished;
    private readonly PaddedCounter[] next;
    private int itemCount;

    public WorkerPool(int threadCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threadCount, 1);
        ThreadCount = threadCount;
        next = new PaddedCounter[threadCount];
        threads = new Thread[threadCount - 1];
        for (var i = 0; i < threads.Length; i++)
        {
            var index = i + 1;
            threads[i] = new Thread(() => WorkerLoop(index)) { IsBackground = true, Name = $"weft worker {index}" };
            threads[i].Start();
        }
    }

    /// <summary>Threads that run work, the caller included.</summary>
    public int ThreadCount { get; }

    /// <summary>Runs items 0 to <paramref name="items"/> − 1 and returns when all are done. The caller takes part.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(ParallelWork parallelWork, int items)
    {
        if (items <= 1 || threads.Length == 0)
        {
            for (var i = 0; i < items; i++)
                parallelWork.Run(i, 0);
            return;
        }

        lock (running)
        {
            work = parallelWork;
            itemCount = items;
            for (var i = 0; i < next.Length; i++)
                Volatile.Write(ref next[i].Value, FirstItem(i));
            Volatile.Write(ref finished.Value, 0);
            Interlocked.Increment(ref epoch.Value);
            if (sleepers > 0)
            {
                lock (wake)
                    Monitor.PulseAll(wake);
            }

            TakeItems(parallelWork, 0);
            // Every worker reports, so that none can still hold this work when the next one is set up.
            var spin = default(SpinWait);
            for (var spins = 0; Volatile.Read(ref finished.Value) < threads.Length; spins++)
            {
                if (spins < SpinsBeforeSleep)
                    Thread.SpinWait(8);
                else
                    spin.SpinOnce();
            }

            work = null;
            if (Interlocked.Exchange(ref failure, null) is { } exception)
                throw new InvalidOperationException("a worker thread failed", exception);
        }
    }

    public void Dispose()
    {
        lock (running)
        {
            stopping = true;
            Interlocked.Increment(ref epoch.Value);
            lock (wake)
                Monitor.PulseAll(wake);
        }

        foreach (var thread in threads)
            thread.Join();
    }

    private void WorkerLoop(int thread)
    {
        var seen = 0;
        while (true)
        {
            var now = WaitForEpoch(seen);
            if (stopping)
                return;
            seen = now;
            TakeItems(work!, thread);
            Interlocked.Increment(ref finished.Value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int WaitForEpoch(int seen)
    {
        for (var spins = 0; spins < SpinsBeforeSleep; spins++)
        {
            var now = Volatile.Read(ref epoch.Value);
            if (now != seen)
                return now;
            Thread.SpinWait(8);
        }

        lock (wake)
        {
            sleepers++;
            // The counter is raised before the epoch is read, and the caller raises the epoch before it reads the counter: one of
            // the two sees the other.
            Interlocked.MemoryBarrier();
            while (Volatile.Read(ref epoch.Value) == seen)
                Monitor.Wait(wake);
            sleepers--;
        }

        return Volatile.Read(ref epoch.Value);
    }

    /// <summary>Where a thread's share of the items begins.</summary>
    private int FirstItem(int thread) => (int)((long)itemCount * thread / next.Length);

    /// <summary>
    /// Takes the thread's own share front to back, so that what it prefetches is what it reads next, then what others have left.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TakeItems(ParallelWork parallelWork, int thread)
    {
        try
        {
            for (var i = 0; i < next.Length; i++)
            {
                var owner = (thread + i) % next.Length;
                var end = FirstItem(owner + 1);
                while (true)
                {
                    var item = Interlocked.Increment(ref next[owner].Value) - 1;
                    if (item >= end)
                        break;
                    parallelWork.Run(item, thread);
                }
            }
        }
#pragma warning disable CA1031 // Whatever a worker throws must reach the caller: on the worker's own thread it would end the process.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Interlocked.CompareExchange(ref failure, exception, null);
        }
    }

    /// <summary>A counter alone on its cache lines: threads that spin on one must not slow writers of another.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 256)]
    private struct PaddedCounter
    {
        [System.Runtime.InteropServices.FieldOffset(128)]
        public int Value;
    }
}
