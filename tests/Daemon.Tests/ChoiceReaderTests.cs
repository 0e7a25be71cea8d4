using NUnit.Framework;
using Weft.Daemon.Streaming;
using Weft.Reference;

namespace Weft.Daemon.Tests;

/// <summary>How often a stream's reader is woken: at once for the first token, then not for each.</summary>
internal sealed class ChoiceReaderTests
{
    [Test]
    public async Task Later_tokens_come_together_but_the_first_does_not_wait_for_them()
    {
        // A token every millisecond, and none after the first until its reader has it.
        using var isRead = new ManualResetEventSlim();
        var steps = 0;
        using var program = new StubProgram(maxBlocks: 256)
        {
            OnStep = _ =>
            {
                if (++steps == 2)
                    isRead.Wait(TimeSpan.FromSeconds(30));
                Thread.Sleep(1);
            },
        };
        using var engine = new Engine(program.ForEngine(256, 1024));
        using var reader = new ChoiceReader([engine.Start([5, 6], new() { MaxTokens = 200, IgnoreEos = true })]);
        Assert.That(await reader.ReadAsync(TimeSpan.FromSeconds(30)), Is.True);
        isRead.Set();
        var reads = 1;
        for (; !reader.IsDone; reads++)
            await reader.ReadAsync(TimeSpan.FromSeconds(30));
        Assert.That(reads, Is.InRange(2, 150));
    }

    [Test]
    public async Task Every_generation_has_ended_after_waiting_for_the_end()
    {
        using var program = new StubProgram(maxBlocks: 256);
        using var engine = new Engine(program.ForEngine(256, 1024));
        var generations = Enumerable.Range(1, 3).Select(i => engine.Start([5, 6], new() { MaxTokens = 100 * i, IgnoreEos = true })).ToList();
        using var reader = new ChoiceReader(generations);
        await reader.WaitForEndAsync();
        Assert.That(generations.Select(generation => (generation.FinishReason, generation.GeneratedTokens)), Is.EqualTo(new[] { 100, 200, 300 }.Select(count => (FinishReason.Length, count))));
        while (!reader.IsDone)
            Assert.That(await reader.ReadAsync(TimeSpan.Zero), Is.True);
    }

    [Test]
    public async Task The_end_comes_without_a_pause_even_when_it_is_a_failure()
    {
        using var program = new StubProgram(maxBlocks: 256) { OnStep = _ => throw new InvalidOperationException("no more") };
        using var engine = new Engine(program.ForEngine(256, 1024));
        using var reader = new ChoiceReader([engine.Start([5, 6], new() { MaxTokens = 2 })]);
        await reader.WaitForEndAsync();
        await Assert.ThatAsync(() => reader.ReadAsync(TimeSpan.Zero).AsTask(), Throws.InstanceOf<EngineException>());
    }
}
