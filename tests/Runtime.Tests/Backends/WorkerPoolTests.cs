using Weft.Backends.Cpu;

namespace Weft.Runtime.Tests.Backends;

[TestFixture]
public sealed class WorkerPoolTests
{
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(5)]
    public void Every_item_runs_once_and_before_Run_returns(int threads)
    {
        using var pool = new WorkerPool(threads);
        var work = new CountingWork(1000);
        for (var round = 1; round <= 200; round++)
        {
            pool.Run(work, 1000 - round);
            for (var i = 0; i < 1000; i++)
                Assert.That(work.Counts[i], Is.EqualTo(Math.Min(round, 1000 - i - 1)), $"item {i} after round {round}");
        }
    }

    [Test]
    public void Workers_wake_from_sleep()
    {
        using var pool = new WorkerPool(3);
        var work = new CountingWork(64);
        for (var round = 1; round <= 5; round++)
        {
            Thread.Sleep(60);
            pool.Run(work, 64);
            Assert.That(work.Counts, Has.All.EqualTo(round));
        }
    }

    [Test]
    public void A_failure_on_any_thread_reaches_the_caller_and_the_pool_goes_on()
    {
        using var pool = new WorkerPool(4);
        for (var item = 0; item < 20; item++)
        {
            var failing = new FailingWork(item);
            Assert.That(() => pool.Run(failing, 20), Throws.InvalidOperationException.With.InnerException.Message.EqualTo("item"));
        }

        var work = new CountingWork(50);
        pool.Run(work, 50);
        Assert.That(work.Counts, Has.All.EqualTo(1));
    }

    [Test]
    public void Running_allocates_nothing()
    {
        using var pool = new WorkerPool(2);
        var work = new CountingWork(16);
        pool.Run(work, 16);
        // All threads of the process count, the test runner's too: what a run allocates itself shows in every round.
        var least = Enumerable.Range(0, 5).Min(_ =>
        {
            var before = GC.GetTotalAllocatedBytes(precise: true);
            for (var i = 0; i < 1000; i++)
                pool.Run(work, 16);
            return GC.GetTotalAllocatedBytes(precise: true) - before;
        });
        Assert.That(least, Is.LessThan(1000), "less than a byte a run");
    }

    private sealed class CountingWork(int items) : ParallelWork
    {
        public int[] Counts { get; } = new int[items];

        public override void Run(int item, int thread) => Interlocked.Increment(ref Counts[item]);
    }

    private sealed class FailingWork(int failing) : ParallelWork
    {
        public override void Run(int item, int thread)
        {
            if (item == failing)
                throw new ArithmeticException("item");
        }
    }
}
