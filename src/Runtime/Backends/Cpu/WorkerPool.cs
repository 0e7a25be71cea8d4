using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

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
/// <remarks>
/// A worker must enter a piece before it takes items, and the caller waits only for those that entered: on a busy machine, where the
/// system may keep a worker from running for milliseconds, the caller does that worker's items instead of waiting for it.
/// </remarks>
internal sealed class WorkerPool : IDisposable
{
    // About a millisecond: longer than any gap inside a step, short enough that an idle process costs nothing.
    private const int SpinsBeforeSleep = 30_000;

    // Some tens of microseconds, after which a worker that does not finish has probably lost its processor to someone else.
    private const int SpinsBeforeYield = 2_000;

    // The state: in its low bits how many workers are inside, above them whether more may enter, above that the number of the piece.
    private const long Worker = 1;
    private const long Inside = 0xFFFF;
    private const long Open = 0x1_0000;
    private const long Piece = 0x2_0000;

    private readonly Thread[] threads;
    private readonly Lock running = new();
    private readonly object wake = new();
    private readonly PaddedCounter[] next;
    private ParallelWork? work;
    private int itemCount;
    private Exception? failure;
    private volatile bool stopping;
    private volatile int sleepers;
    private PaddedState state;

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
    [MethodImpl(Hot.Path)]
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
            // Nobody is inside, so nobody reads these.
            work = parallelWork;
            itemCount = items;
            for (var i = 0; i < next.Length; i++)
                next[i].Value = FirstItem(i);
            Interlocked.Exchange(ref state.Value, (((state.Value / Piece) + 1) * Piece) | Open);
            Wake();

            TakeItems(0);
            Interlocked.And(ref state.Value, ~Open);
            for (var spins = 0; (Volatile.Read(ref state.Value) & Inside) != 0; spins++)
            {
                if (spins < SpinsBeforeYield)
                    Thread.SpinWait(1);
                else
                    Thread.Yield();
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
            lock (wake)
                Monitor.PulseAll(wake);
        }

        foreach (var thread in threads)
            thread.Join();
    }

    private void Wake()
    {
        // The piece is open before this reads the counter, and a worker raises the counter before it looks for a piece a last time: one
        // of the two sees the other.
        if (sleepers == 0)
            return;
        lock (wake)
            Monitor.PulseAll(wake);
    }

    private void WorkerLoop(int thread)
    {
        var done = 0L;
        while (WaitForPiece(ref done))
        {
            TakeItems(thread);
            Interlocked.Add(ref state.Value, -Worker);
        }
    }

    /// <summary>Waits until a piece other than <paramref name="done"/> is open and enters it; false when the pool ends.</summary>
    [MethodImpl(Hot.Path)]
    private bool WaitForPiece(ref long done)
    {
        while (true)
        {
            for (var spins = 0; spins < SpinsBeforeSleep && !stopping; spins++)
            {
                if (TryEnter(ref done))
                    return true;
                Thread.SpinWait(1);
            }

            lock (wake)
            {
                Interlocked.Increment(ref sleepers);
                if (!stopping && !IsOther(Volatile.Read(ref state.Value), done))
                    Monitor.Wait(wake);
                Interlocked.Decrement(ref sleepers);
            }

            if (stopping)
                return false;
        }
    }

    private bool TryEnter(ref long done)
    {
        var now = Volatile.Read(ref state.Value);
        if (!IsOther(now, done) || Interlocked.CompareExchange(ref state.Value, now + Worker, now) != now)
            return false;
        done = now / Piece;
        return true;
    }

    private static bool IsOther(long now, long done) => (now & Open) != 0 && now / Piece != done;

    /// <summary>Where a thread's share of the items begins.</summary>
    private int FirstItem(int thread) => (int)((long)itemCount * thread / next.Length);

    /// <summary>
    /// Takes the thread's own share front to back, so that what it prefetches is what it reads next, then what others have left.
    /// </summary>
    [MethodImpl(Hot.Path)]
    private void TakeItems(int thread)
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
                    work!.Run(item, thread);
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
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct PaddedCounter
    {
        [FieldOffset(128)]
        public int Value;
    }

    /// <summary>As <see cref="PaddedCounter"/>, for the state.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct PaddedState
    {
        [FieldOffset(128)]
        public long Value;
    }
}
