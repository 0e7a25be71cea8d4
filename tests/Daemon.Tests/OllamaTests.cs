using System.Net;
using System.Text.Json;
using Weft.Daemon.Tests.Support;

namespace Weft.Daemon.Tests;

/// <summary>What Ollama's routes answer.</summary>
[TestFixture]
public sealed class OllamaTests
{
    private TestServer server = null!;

    [OneTimeSetUp]
    public async Task Start() => server = await TestServer.WithStubAsync();

    [OneTimeTearDown]
    public async Task Stop() => await server.DisposeAsync();

    [Test]
    public async Task An_answer_is_lines_of_json_and_the_last_one_counts([Values] bool isChat)
    {
        var (path, body) = isChat
            ? ("/api/chat", """{"model":"bard:latest","messages":[{"role":"user","content":"Hello"}],"options":{"num_predict":15,"seed":1}}""")
            : ("/api/generate", """{"model":"bard","prompt":"Hello","options":{"num_predict":15}}""");
        using var response = await server.PostAsync(path, body);
        Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo("application/x-ndjson"));
        var lines = (await response.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        string Text(JsonElement line) => (isChat ? line.GetProperty("message").GetProperty("content") : line.GetProperty("response")).GetString()!;
        var expected = TestServer.StubText(Bard.Tokenizer.Encode("USER:\nHello\n\nASSISTANT:\n", false), 15);
        Assert.That(string.Concat(lines.Select(Text)), Is.EqualTo(expected));
        Assert.That(lines.SkipLast(1).Select(line => line.GetProperty("done").GetBoolean()), Is.All.False);
        var last = lines[^1];
        Assert.That((last.GetProperty("done").GetBoolean(), last.GetProperty("done_reason").GetString()), Is.EqualTo((true, "length")));
        Assert.That(last.GetProperty("eval_count").GetInt32(), Is.EqualTo(15));
        Assert.That(last.GetProperty("total_duration").GetInt64(), Is.GreaterThan(last.GetProperty("eval_duration").GetInt64()));
        var (_, whole) = await server.PostJsonAsync(path, body[..^1] + ""","stream":false}""");
        Assert.That(Text(whole), Is.EqualTo(expected));
    }

    [Test]
    public async Task A_raw_prompt_goes_without_the_template()
    {
        var (_, json) = await server.PostJsonAsync("/api/generate", """{"model":"bard","prompt":"Hello","raw":true,"stream":false,"options":{"num_predict":4}}""");
        Assert.That(json.GetProperty("response").GetString(), Is.EqualTo(TestServer.StubText(Bard.Tokenizer.Encode("Hello", false), 4)));
    }

    [Test]
    public async Task Models_are_listed_and_shown()
    {
        var tag = (await server.GetJsonAsync("/api/tags")).GetProperty("models")[0];
        Assert.That(tag.GetProperty("name").GetString(), Is.EqualTo("bard"));
        Assert.That(tag.GetProperty("details").GetProperty("quantization_level").GetString(), Is.EqualTo("BF16"));
        Assert.That((await server.GetJsonAsync("/api/ps")).GetProperty("models")[0].GetProperty("context_length").GetInt32(), Is.EqualTo(1000));
        Assert.That((await server.GetJsonAsync("/api/version")).GetProperty("version").GetString(), Is.EqualTo("1.2.3"));
        var (_, shown) = await server.PostJsonAsync("/api/show", """{"model":"bard"}""");
        Assert.That(shown.GetProperty("template").GetString(), Is.EqualTo(Bard.Template));
        Assert.That(shown.GetProperty("details").GetProperty("parameter_size").GetString(), Is.EqualTo("5.00M"));
    }

    [Test]
    public async Task A_request_without_a_prompt_finds_the_model_loaded()
    {
        var (status, json) = await server.PostJsonAsync("/api/generate", """{"model":"bard"}""");
        Assert.That((status, json.GetProperty("done_reason").GetString()), Is.EqualTo((HttpStatusCode.OK, "load")));
    }

    [Test]
    public async Task The_command_line_finds_the_server_there()
    {
        using var request = new HttpRequestMessage(HttpMethod.Head, "/");
        using var answer = await server.Client.SendAsync(request);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [TestCase("/api/chat", """{"model":"other","messages":[{"role":"user","content":"a"}]}""", 404, "'other' does not exist")]
    [TestCase("/api/chat", """{"messages":[]}""", 400, "'model' is missing")]
    [TestCase("/api/generate", """{"model":"bard","prompt":5}""", 400, "'prompt' must be a string")]
    [TestCase("/api/generate", """{"model":"bard","prompt":"a","options":{"temperature":"x"}}""", 400, "'options.temperature' must be a number")]
    [TestCase("/api/generate", """{"model":"bard","prompt":"a","format":"json"}""", 501, "not supported yet")]
    [TestCase("/api/embeddings", """{"model":"bard","input":"a"}""", 400, "'prompt' is missing")]
    public async Task What_is_wrong_is_a_sentence(string path, string body, int status, string says)
    {
        var (actual, json) = await server.PostJsonAsync(path, body);
        Assert.That((int)actual, Is.EqualTo(status));
        Assert.That(json.GetProperty("error").GetString(), Does.Contain(says));
    }
}
