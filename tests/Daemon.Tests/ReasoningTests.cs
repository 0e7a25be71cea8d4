using System.Net;
using System.Text.Json;
using Weft.Daemon.Tests.Support;

namespace Weft.Daemon.Tests;

/// <summary>A template that begins the model's thoughts: they go into a field of their own, whole and streamed, for both kinds of clients.</summary>
[TestFixture]
public sealed class ReasoningTests
{
    private const string Request = """{"model":"bard","messages":[{"role":"user","content":"Hello"}],"max_tokens":12,"temperature":0""";

    private TestServer server = null!;

    [OneTimeSetUp]
    public async Task Start() => server = await TestServer.WithBardAsync(template: Bard.Template + "<think>\n");

    [OneTimeTearDown]
    public async Task Stop() => await server.DisposeAsync();

    [Test]
    public async Task Thoughts_are_told_from_the_answer()
    {
        var raw = await MessageAsync(Request + ""","reasoning_format":"none"}""");
        Assert.That(raw.TryGetProperty("reasoning_content", out _), Is.False);
        var text = raw.GetProperty("content").GetString()!;
        var message = await MessageAsync(Request + "}");
        Assert.That(message.GetProperty("content").GetString(), Is.Empty);
        Assert.That(message.GetProperty("reasoning_content").GetString(), Is.EqualTo(text.Trim()).And.Not.Empty);
    }

    [Test]
    public async Task A_stream_has_them_as_they_come()
    {
        var whole = (await MessageAsync(Request + "}")).GetProperty("reasoning_content").GetString();
        var events = await server.StreamAsync("/v1/chat/completions", Request + ""","stream":true}""");
        var thoughts = "";
        foreach (var piece in events.Where(piece => piece != "[DONE]"))
        {
            using var json = JsonDocument.Parse(piece);
            var delta = json.RootElement.GetProperty("choices")[0].GetProperty("delta");
            thoughts += delta.TryGetProperty("reasoning_content", out var part) ? part.GetString() : "";
            Assert.That(delta.TryGetProperty("content", out var content) ? content.GetString() : "", Is.Empty);
        }

        Assert.That(thoughts, Is.EqualTo(whole));
    }

    [Test]
    public async Task Ollamas_clients_find_them_under_its_name([Values("true", "false")] string stream)
    {
        var whole = (await MessageAsync(Request + "}")).GetProperty("reasoning_content").GetString();
        using var response = await server.PostAsync(
            "/api/chat", $$"""{"model":"bard","messages":[{"role":"user","content":"Hello"}],"options":{"num_predict":12,"temperature":0,"repeat_penalty":1},"stream":{{stream}}}""");
        var lines = (await response.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line)).ToList();
        var messages = lines.Select(line => line.RootElement.GetProperty("message")).ToList();
        Assert.That(string.Concat(messages.Select(message => message.TryGetProperty("thinking", out var part) ? part.GetString() : "")), Is.EqualTo(whole));
        Assert.That(messages.Select(message => message.GetProperty("content").GetString()), Is.All.Empty);
        lines.ForEach(line => line.Dispose());
    }

    [Test]
    public async Task An_unknown_format_is_refused()
    {
        var (status, json) = await server.PostJsonAsync("/v1/chat/completions", Request + ""","reasoning_format":"odd"}""");
        Assert.That(status, Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(json.GetProperty("error").GetProperty("param").GetString(), Is.EqualTo("reasoning_format"));
    }

    private async Task<JsonElement> MessageAsync(string body)
    {
        var (status, json) = await server.PostJsonAsync("/v1/chat/completions", body);
        Assert.That(status, Is.EqualTo(HttpStatusCode.OK), json.GetRawText());
        return json.GetProperty("choices")[0].GetProperty("message");
    }
}
