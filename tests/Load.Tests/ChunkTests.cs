using System.Text;
using System.Text.Json;
using Weft.Load.Client;

namespace Weft.Load.Tests;

/// <summary>Events of answers' streams, as various servers write them.</summary>
[TestFixture]
public sealed class ChunkTests
{
    [TestCase("""{"choices":[{"text":"a"}]}""")]
    [TestCase("""{"choices":[{"index":0,"logprobs":{"tokens":["a"]},"text":"a","finish_reason":null}],"usage":null}""")]
    [TestCase("""{"choices":[{"delta":{"role":"assistant","content":"a"}}]}""")]
    [TestCase("""{"choices":[{"delta":{"content":null,"reasoning_content":"a"}}]}""")]
    [TestCase("""{"choices":[{"delta":{"reasoning":"a"}}]}""")]
    [TestCase("""{"choices":[{"text":"\n"}]}""")]
    public void Text_is_seen(string data) => Assert.That(Parse(data), Is.EqualTo(new Chunk { HasText = true }));

    [TestCase("""{"choices":[{"text":""}]}""")]
    [TestCase("""{"choices":[{"text":null}]}""")]
    [TestCase("""{"choices":[{"delta":{"role":"assistant","content":""}}]}""")]
    [TestCase("""{"choices":[{"delta":{}}]}""")]
    [TestCase("""{"choices":[{"delta":null}]}""")]
    [TestCase("""{"choices":[],"usage":null,"text":"not here"}""")]
    [TestCase("""{"choices":{"text":"a"}}""")]
    [TestCase("""{"choices":[1,["a"],null]}""")]
    [TestCase("""{}""")]
    [TestCase("""{"error":null}""")]
    public void Nothing_is_seen_where_there_is_no_text(string data) => Assert.That(Parse(data), Is.Default);

    [Test]
    public void The_finish_reason_is_read() =>
        Assert.That(Parse("""{"choices":[{"text":"a","finish_reason":"length"}]}"""), Is.EqualTo(new Chunk { HasText = true, FinishReason = "length" }));

    [TestCase("""{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46}}""", 12, 34)]
    [TestCase("""{"usage":{"prompt_tokens_details":{"cached_tokens":3},"completion_tokens":34,"prompt_tokens":12},"choices":[]}""", 12, 34)]
    [TestCase("""{"usage":{"prompt_tokens":null,"completion_tokens":1.5}}""", null, null)]
    [TestCase("""{"usage":7}""", null, null)]
    public void Usage_is_read(string data, int? prompt, int? completion) =>
        Assert.That(Parse(data), Is.EqualTo(new Chunk { PromptTokens = prompt, CompletionTokens = completion }));

    [TestCase("""{"error":{"message":"out of blocks","type":"server_error"}}""", "out of blocks")]
    [TestCase("""{"error":"out of blocks"}""", "out of blocks")]
    [TestCase("""{"error":{"code":500}}""", """{"code":500}""")]
    [TestCase("""{"choices":[],"error":{"error":{"message":"deep\r\nand broken"}}}""", "deep and broken")]
    public void An_error_is_read_with_its_sentence(string data, string sentence) => Assert.That(Parse(data), Is.EqualTo(new Chunk { Error = sentence }));

    [Test]
    public void The_end_is_seen() => Assert.That(Parse("[DONE]"), Is.EqualTo(new Chunk { IsDone = true }));

    [TestCase("")]
    [TestCase("null")]
    [TestCase("[]")]
    [TestCase("data")]
    [TestCase("""{"choices":[{"text":"a""")]
    public void What_is_no_object_throws(string data) => Assert.That(() => Parse(data), Throws.InstanceOf<JsonException>());

    private static Chunk Parse(string data) => Chunk.Parse("message", Encoding.UTF8.GetBytes(data));
}
