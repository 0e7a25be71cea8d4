using System.Runtime.InteropServices;
using OpenAI;
using Weft.Daemon.Tests.Support;

namespace Weft.Daemon.Tests;

/// <summary>Embeddings over HTTP, by hand and through OpenAI's client.</summary>
[TestFixture]
public sealed class EmbeddingTests
{
    private TestServer server = null!;

    [OneTimeSetUp]
    public async Task Start() => server = await TestServer.WithBardAsync();

    [OneTimeTearDown]
    public async Task Stop() => await server.DisposeAsync();

    [Test]
    public async Task A_vector_has_length_one_and_is_the_same_in_both_encodings([Values("mean", "last")] string pooling)
    {
        var (_, json) = await server.PostJsonAsync("/v1/embeddings", $$"""{"input":["ROMEO: what light","a"],"pooling":"{{pooling}}"}""");
        var vectors = json.GetProperty("data").EnumerateArray().Select(entry => entry.GetProperty("embedding").EnumerateArray().Select(x => x.GetSingle()).ToArray()).ToList();
        Assert.That(vectors.Select(vector => vector.Length), Is.All.EqualTo(256));
        Assert.That(vectors.Select(vector => vector.Sum(x => (double)x * x)), Is.All.EqualTo(1).Within(1e-5));
        Assert.That(vectors[0], Is.Not.EqualTo(vectors[1]));
        var (_, encoded) = await server.PostJsonAsync("/v1/embeddings", $$"""{"input":"ROMEO: what light","pooling":"{{pooling}}","encoding_format":"base64"}""");
        Assert.That(MemoryMarshal.Cast<byte, float>(encoded.GetProperty("data")[0].GetProperty("embedding").GetBytesFromBase64()).ToArray(), Is.EqualTo(vectors[0]));
        Assert.That(encoded.GetProperty("usage").GetProperty("total_tokens").GetInt32(), Is.EqualTo(Bard.Tokenizer.Encode("ROMEO: what light").Length));
        var (_, ollama) = await server.PostJsonAsync("/api/embed", $$"""{"model":"bard","input":"ROMEO: what light","pooling":"{{pooling}}"}""");
        Assert.That(ollama.GetProperty("embeddings")[0].EnumerateArray().Select(x => x.GetSingle()), Is.EqualTo(vectors[0]));
        var (_, older) = await server.PostJsonAsync("/api/embeddings", $$"""{"model":"bard","prompt":"ROMEO: what light","pooling":"{{pooling}}"}""");
        Assert.That(older.GetProperty("embedding").EnumerateArray().Select(x => x.GetSingle()), Is.EqualTo(vectors[0]));
    }

    [Test]
    public async Task Many_texts_take_turns_and_one_that_is_too_long_stops_them_at_once()
    {
        var texts = string.Join(',', Enumerable.Range(0, 1500).Select(i => $"\"{i}\""));
        var (_, json) = await server.PostJsonAsync("/v1/embeddings", $$"""{"input":[{{texts}}]}""");
        Assert.That(json.GetProperty("data").GetArrayLength(), Is.EqualTo(1500));
        var steps = server.Engine.Statistics.Steps;
        var (status, error) = await server.PostJsonAsync("/v1/embeddings", $$"""{"input":["{{new string('x', 3000)}}",{{texts}}]}""");
        Assert.That(((int)status, error.GetProperty("error").GetProperty("code").GetString()), Is.EqualTo((400, "context_length_exceeded")));
        Assert.That(server.Engine.Statistics.Steps, Is.EqualTo(steps));
    }

    [Test]
    public async Task OpenAIs_client_gets_vectors()
    {
        var client = new OpenAIClient(new System.ClientModel.ApiKeyCredential("any"), new() { Endpoint = new Uri(server.Server.Address + "/v1") }).GetEmbeddingClient("bard");
        var embeddings = (await client.GenerateEmbeddingsAsync(["ROMEO:", "JULIET:"])).Value;
        Assert.That(embeddings.Select(embedding => embedding.ToFloats().Length), Is.EqualTo(new[] { 256, 256 }));
    }

    [TestCase("""{}""", "input", "missing")]
    [TestCase("""{"input":[]}""", "input", "empty")]
    [TestCase("""{"input":"a","pooling":"sum"}""", "pooling", "'mean' or 'last'")]
    [TestCase("""{"input":"a","dimensions":7}""", "dimensions", "have 256")]
    [TestCase("""{"input":"a","encoding_format":"int8"}""", "encoding_format", "'float' or 'base64'")]
    [TestCase("""{"input":[[9999]]}""", "input", "end at 2047")]
    public async Task What_is_wrong_is_said_with_its_name(string body, string parameter, string says)
    {
        var (status, json) = await server.PostJsonAsync("/v1/embeddings", body);
        Assert.That((int)status, Is.EqualTo(400));
        Assert.That(json.GetProperty("error").GetProperty("param").GetString(), Is.EqualTo(parameter));
        Assert.That(json.GetProperty("error").GetProperty("message").GetString(), Does.Contain(says));
    }
}
