using System.Text;
using Weft.Load.Client;

namespace Weft.Load.Tests;

/// <summary>Reading an answer's stream: what ends it, and what it costs.</summary>
[TestFixture]
public sealed class AnswerStreamTests
{
    private const string Text = """data: {"choices":[{"text":" word","finish_reason":null}],"usage":null}""" + "\n\n";
    private const string Finish = """data: {"choices":[{"text":"","finish_reason":"stop"}]}""" + "\n\n";
    private const string Usage = """data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9}}""" + "\n\n";
    private const string Done = "data: [DONE]\n\n";

    [TestCase(Text + Text + Finish + Usage + Done, 9)]
    [TestCase(": ping\n\n" + Text + ":\n\n" + Text + Finish + Usage + Done, 9)]
    [TestCase("event: message\nid: 1\n" + Text + Text + Finish, 2)]
    [TestCase(Text + Text + Done, 2)]
    [TestCase(Text + Text + Done + Usage, 9)]
    public async Task A_complete_answer_is_counted(string events, int tokens)
    {
        foreach (var newline in (string[])["\n", "\r\n", "\r"])
        {
            var record = await ReadAsync(events.Replace("\n", newline, StringComparison.Ordinal));
            Assert.That(record.ChunkTimes, Has.Count.EqualTo(2));
            Assert.That(record.OutputTokens, Is.EqualTo(tokens));
            Assert.That(record.End, Is.GreaterThanOrEqualTo(record.ChunkTimes[^1]));
        }
    }

    [TestCase(Text, Failure.Disconnected)]
    [TestCase("", Failure.Disconnected)]
    [TestCase(Finish + Done, Failure.Empty)]
    [TestCase(Text + "data: {\"error\":{\"message\":\"no\"}}\n\n" + Done, Failure.ErrorEvent)]
    public void An_answer_that_is_not_complete_has_failed(string events, string kind) =>
        Assert.That(() => ReadAsync(events), Throws.InstanceOf<ServerFailureException>().With.Property("Failure").Property("Kind").EqualTo(kind));

    [Test]
    public async Task A_chunk_costs_no_memory_but_its_time()
    {
        const int chunks = 100_000;
        var answer = string.Concat(Enumerable.Repeat(Text, chunks)) + Done;
        await ReadAsync(answer);
        var stream = new MemoryStream(Encoding.UTF8.GetBytes(answer));
        var record = new RequestRecord { Scheduled = 0 };
        using var limit = new CancellationTokenSource();
        var before = GC.GetAllocatedBytesForCurrentThread();
        // A stream in memory never waits, so that all of it happens on this thread.
        await AnswerStream.ReadAsync(stream, record, limit);
        var perChunk = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)chunks;
        Assert.That(record.ChunkTimes, Has.Count.EqualTo(chunks));
        Assert.That(perChunk, Is.LessThan(64), "bytes; a growing list of times takes up to 32");
    }

    private static async Task<RequestRecord> ReadAsync(string events)
    {
        var record = new RequestRecord { Scheduled = 0 };
        using var limit = new CancellationTokenSource();
        await AnswerStream.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(events)), record, limit);
        return record;
    }
}
