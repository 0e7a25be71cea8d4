using Weft.KvCache;

namespace Weft.Runtime.Tests.KvCache;

/// <summary>The block pool's and the block table's rules, one by one; <see cref="BlockTableModelTests"/> mixes them at random.</summary>
public sealed class BlockPoolTests
{
    [Test]
    public void Hands_out_every_block_once_and_then_none()
    {
        var pool = new BlockPool(5);
        var seen = new HashSet<int>();
        while (pool.TryAllocate(out var block))
            Assert.That(seen.Add(block.Value), Is.True);
        Assert.That(seen, Is.EquivalentTo(new[] { 0, 1, 2, 3, 4 }));
        Assert.That(pool.FreeCount, Is.Zero);
    }

    [Test]
    public void A_block_is_free_again_only_after_its_last_release()
    {
        var pool = new BlockPool(1);
        pool.TryAllocate(out var block);
        pool.Retain(block);
        pool.Release(block);
        Assert.That(pool.TryAllocate(out _), Is.False);
        pool.Release(block);
        Assert.That(pool.FreeCount, Is.EqualTo(1));
    }

    [Test]
    public void Releasing_or_retaining_a_free_block_throws()
    {
        var pool = new BlockPool(2);
        pool.TryAllocate(out var block);
        pool.Release(block);
        Assert.That(() => pool.Release(block), Throws.InvalidOperationException.With.Message.Contains("Block 0"));
        Assert.That(() => pool.Retain(block), Throws.InvalidOperationException);
        Assert.That(pool.FreeCount, Is.EqualTo(2));
    }

    [TestCase(0, 0)]
    [TestCase(1, 1)]
    [TestCase(16, 1)]
    [TestCase(17, 2)]
    [TestCase(int.MaxValue, (int.MaxValue / 16) + 1)]
    public void A_block_holds_sixteen_tokens(int tokens, int blocks) => Assert.That(BlockPool.BlocksFor(tokens), Is.EqualTo(blocks));

    [Test]
    public void Extending_takes_all_blocks_or_none()
    {
        var pool = new BlockPool(3);
        using var table = new BlockTable(pool, 100);
        Assert.That(table.TryExtend(17, out _), Is.True);
        Assert.That(table.TryExtend(49, out _), Is.False);
        Assert.That((table.Length, table.Blocks.Length, pool.FreeCount), Is.EqualTo((17, 2, 1)));
    }

    [Test]
    public void A_slot_is_the_block_times_sixteen_plus_the_position_in_it()
    {
        using var table = new BlockTable(new BlockPool(4), 64);
        table.TryExtend(40, out _);
        for (var t = 0; t < 40; t++)
            Assert.That(table.Slot(t), Is.EqualTo((table.Blocks[t / 16] * 16) + (t % 16)));
        Assert.That(() => table.Slot(40), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => table.Slot(-1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void A_fork_copies_the_partly_filled_block_when_it_grows_and_the_last_holder_does_not()
    {
        var pool = new BlockPool(4);
        using var parent = new BlockTable(pool, 64);
        parent.TryExtend(20, out _);
        var last = parent.Blocks[1];
        using var fork = parent.Fork();
        Assert.That(pool.FreeCount, Is.EqualTo(2), "a fork takes no block");

        Assert.That(fork.TryExtend(21, out var copy), Is.True);
        Assert.That(copy, Is.EqualTo(new BlockCopy(new BlockId(last), new BlockId(fork.Blocks[1]), 4)));
        Assert.That(fork.Blocks[0], Is.EqualTo(parent.Blocks[0]));
        Assert.That(parent.TryExtend(21, out copy), Is.True);
        Assert.That(copy, Is.Null);
        Assert.That(parent.Blocks[1], Is.EqualTo(last));
    }

    [Test]
    public void Growing_after_truncation_into_a_shared_block_copies_it()
    {
        var pool = new BlockPool(3);
        using var parent = new BlockTable(pool, 64);
        parent.TryExtend(32, out _);
        using var fork = parent.Fork();
        fork.Truncate(5);
        Assert.That(fork.TryExtend(6, out var copy), Is.True);
        Assert.That(copy!.Value.Tokens, Is.EqualTo(5));
        Assert.That(fork.Blocks[0], Is.Not.EqualTo(parent.Blocks[0]));
    }

    [Test]
    public void A_copy_counts_when_room_is_checked()
    {
        var pool = new BlockPool(1);
        using var parent = new BlockTable(pool, 64);
        parent.TryExtend(3, out _);
        using var fork = parent.Fork();
        Assert.That(fork.TryExtend(4, out var copy), Is.False);
        Assert.That((copy, fork.Length, fork.Blocks[0]), Is.EqualTo(((BlockCopy?)null, 3, parent.Blocks[0])));
    }

    [Test]
    public void Decode_steps_allocate_no_memory()
    {
        using var table = new BlockTable(new BlockPool(64), 1024);
        table.TryExtend(1, out _);
        table.Truncate(0);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var t = 1; t <= 1024; t++)
            table.TryExtend(t, out _);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.That(allocated, Is.Zero);
        Assert.That(table.Blocks.Length, Is.EqualTo(64));
    }

    [Test]
    public void A_disposed_table_gives_everything_back_once_and_refuses_to_grow()
    {
        var pool = new BlockPool(4);
        var table = new BlockTable(pool, 64);
        table.TryExtend(64, out _);
        table.Dispose();
        table.Dispose();
        Assert.That(pool.FreeCount, Is.EqualTo(4));
        Assert.That(() => table.TryExtend(1, out _), Throws.InstanceOf<ObjectDisposedException>());
    }
}
