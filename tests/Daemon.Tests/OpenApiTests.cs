using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using Weft.Daemon.Operations;
using Weft.Daemon.Tests.Support;

namespace Weft.Daemon.Tests;

/// <summary>The OpenAPI document says what the server does: its routes, and the schema of every answer.</summary>
[TestFixture]
public sealed class OpenApiTests
{
    private static readonly JsonElement Document = Load();

    private TestServer server = null!;

    [OneTimeSetUp]
    public async Task Start() => server = await TestServer.WithStubAsync();

    [OneTimeTearDown]
    public async Task Stop() => await server.DisposeAsync();

    [Test]
    public void Every_route_is_described_and_every_description_has_its_route()
    {
        var described = Document.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(method => $"{method.Name.ToUpperInvariant()} {path.Name}"));
        var mapped = server.Server.Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>() is not null)
            .SelectMany(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Where(method => method != "HEAD")
                .Select(method => $"{method} {endpoint.RoutePattern.RawText!.Replace("{**id}", "{id}", StringComparison.Ordinal)}"))
            // The page and its files are for people.
            .Where(route => route is not "GET /" && !route.StartsWith("GET /web/", StringComparison.Ordinal));
        Assert.That(described, Is.EquivalentTo(mapped));
    }

    [TestCase("/v1/chat/completions", """{"messages":[{"role":"user","content":"a"}],"max_tokens":3,"logprobs":true,"top_logprobs":2,"temperature":0}""")]
    [TestCase("/v1/chat/completions", """{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"max_tokens":3,"stop":"e"}""")]
    [TestCase("/v1/completions", """{"prompt":["a","b"],"max_tokens":3,"logprobs":2,"echo":true}""")]
    [TestCase("/v1/embeddings", """{"input":["a","b"]}""")]
    [TestCase("/v1/models", null)]
    [TestCase("/v1/models/{id}", null)]
    [TestCase("/api/chat", """{"model":"bard","messages":[{"role":"user","content":"a"}],"stream":false,"options":{"num_predict":3}}""")]
    [TestCase("/api/generate", """{"model":"bard","prompt":"a","stream":false,"options":{"num_predict":3}}""")]
    [TestCase("/api/embed", """{"model":"bard","input":"a"}""")]
    [TestCase("/api/embeddings", """{"model":"bard","prompt":"a"}""")]
    [TestCase("/api/show", """{"model":"bard"}""")]
    [TestCase("/api/tags", null)]
    [TestCase("/api/ps", null)]
    [TestCase("/api/version", null)]
    [TestCase("/tokenize", """{"content":"some text","with_pieces":true}""")]
    [TestCase("/detokenize", """{"tokens":[5,6]}""")]
    [TestCase("/apply-template", """{"messages":[{"role":"user","content":"a"}]}""")]
    [TestCase("/props", null)]
    [TestCase("/slots", null)]
    [TestCase("/health", null)]
    [TestCase("/version", null)]
    public async Task Requests_and_answers_are_as_described(string path, string? body)
    {
        var operation = Document.GetProperty("paths").GetProperty(path).GetProperty(body is null ? "get" : "post");
        if (body is not null)
        {
            using var request = JsonDocument.Parse(body);
            Check(operation.GetProperty("requestBody").GetProperty("content").GetProperty("application/json").GetProperty("schema"), request.RootElement);
        }

        var answer = body is null
            ? await server.GetJsonAsync(path.Replace("{id}", "bard", StringComparison.Ordinal))
            : (await server.PostJsonAsync(path, body)).Json;
        Check(operation.GetProperty("responses").GetProperty("200").GetProperty("content").GetProperty("application/json").GetProperty("schema"), answer);
        var wrong = body is null ? null : (await server.PostJsonAsync(path, """{"model":5}""")).Json as JsonElement?;
        if (wrong is { } error)
            Check(operation.GetProperty("responses").GetProperty("default").GetProperty("content").GetProperty("application/json").GetProperty("schema"), error);
    }

    [TestCase("/v1/chat/completions", """{"messages":[{"role":"user","content":"a"}],"max_tokens":5,"stream":true,"stream_options":{"include_usage":true},"logprobs":true}""")]
    [TestCase("/v1/completions", """{"prompt":"a","max_tokens":5,"stream":true,"logprobs":1}""")]
    public async Task Events_are_as_described(string path, string body)
    {
        var schema = Document.GetProperty("paths").GetProperty(path).GetProperty("post").GetProperty("responses").GetProperty("200")
            .GetProperty("content").GetProperty("text/event-stream").GetProperty("schema");
        foreach (var text in (await server.StreamAsync(path, body)).SkipLast(1))
        {
            using var chunk = JsonDocument.Parse(text);
            Check(schema, chunk.RootElement);
        }
    }

    [Test]
    public async Task The_server_gives_the_document_away()
    {
        var served = await server.GetJsonAsync("/openapi.json");
        Assert.That(served.GetProperty("openapi").GetString(), Is.EqualTo("3.1.0"));
    }

    private static void Check(JsonElement schema, JsonElement value) => Assert.That(new SchemaCheck(Document).Errors(schema, value), Is.Empty, value.GetRawText());

    private static JsonElement Load()
    {
        using var stream = OpenApiDocument.Open();
        using var document = JsonDocument.Parse(stream);
        return document.RootElement.Clone();
    }
}
