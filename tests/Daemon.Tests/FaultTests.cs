using System.Net;
using System.Text;
using System.Text.Json;
using Weft.Daemon.Tests.Support;

namespace Weft.Daemon.Tests;

/// <summary>Clients that vanish, crowd or send rubbish, and a device that fails: each gets its own answer, and nobody else notices.</summary>
[TestFixture]
public sealed class FaultTests
{
    private const string Endless = """{"prompt":"ROMEO:","max_tokens":900,"ignore_eos":true,"stream":true}""";

    [Test]
    public async Task A_client_that_goes_away_stops_costing_steps([Values] bool isStreaming, [Values] bool isQueued)
    {
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => Thread.Sleep(2), maxSequences: isQueued ? 1 : 8);
        using var other = isQueued ? await server.PostAsync("/v1/completions", Endless) : null;
        using var cancellation = new CancellationTokenSource();
        var body = isStreaming ? Endless : Endless.Replace("true}", "false}", StringComparison.Ordinal);
        var sending = server.PostAsync("/v1/completions", body, cancellation.Token);
        Assert.That(() => server.Engine.Statistics.Running + server.Engine.Statistics.Waiting, Is.EqualTo(isQueued ? 2 : 1).After(10_000, 5));
        if (isStreaming && !isQueued)
        {
            using var response = await sending;
            using var stream = await response.Content.ReadAsStreamAsync();
            Assert.That(await stream.ReadAsync(new byte[10]), Is.Positive);
        }
        else
        {
            await cancellation.CancelAsync();
            Assert.That(() => sending, Throws.InstanceOf<OperationCanceledException>());
        }

        Assert.That(() => server.Engine.Statistics.Running + server.Engine.Statistics.Waiting, Is.EqualTo(isQueued ? 1 : 0).After(10_000, 5));
    }

    [Test]
    public async Task A_full_queue_is_429_with_a_time_to_try_again()
    {
        using var gate = new SemaphoreSlim(0);
        using var begun = new SemaphoreSlim(0);
        await using var server = await TestServer.WithStubAsync(
            program => program.OnStep = _ =>
            {
                begun.Release();
                gate.Wait();
            },
            engineOptions: new() { MaxWaiting = 2 },
            maxSequences: 1);
        var first = server.PostJsonAsync("/v1/completions", """{"prompt":"a","max_tokens":2}""");
        await begun.WaitAsync();
        var waiting = Enumerable.Range(0, 2).Select(_ => server.PostJsonAsync("/v1/completions", """{"prompt":"a","max_tokens":2}""")).ToList();
        Assert.That(() => server.Engine.Statistics.Waiting, Is.EqualTo(2).After(10_000, 5));
        using var refused = await server.PostAsync("/v1/completions", """{"prompt":"a","max_tokens":2}""");
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.TooManyRequests));
        Assert.That(refused.Headers.RetryAfter!.Delta, Is.EqualTo(TimeSpan.FromSeconds(1)));
        Assert.That(await server.Client.GetStringAsync("/health"), Does.Contain("ok"));
        // Of several choices none is left behind when one does not fit.
        using var several = await server.PostAsync("/v1/completions", """{"prompt":"a","n":5}""");
        Assert.That(several.StatusCode, Is.EqualTo(HttpStatusCode.TooManyRequests));
        gate.Release(1000);
        foreach (var answer in waiting.Prepend(first))
            Assert.That((await answer).Status, Is.EqualTo(HttpStatusCode.OK));
        server.ShouldBecomeIdle();
    }

    [Test]
    public async Task A_full_cache_makes_requests_wait_and_none_fail()
    {
        await using var server = await TestServer.WithStubAsync(blocks: 70, maxSequences: 16);
        var answers = Enumerable.Range(0, 40).Select(i => server.PostJsonAsync(
            "/v1/completions", $$"""{"prompt":"{{new string((char)('a' + (i % 26)), 30)}}","max_tokens":{{100 + i}}}""")).ToList();
        for (var i = 0; i < answers.Count; i++)
        {
            var (status, json) = await answers[i];
            Assert.That(status, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(json.GetProperty("choices")[0].GetProperty("text").GetString(), Is.EqualTo(
                TestServer.StubText(Bard.Tokenizer.Encode(new string((char)('a' + (i % 26)), 30)), 100 + i)));
        }

        server.ShouldBecomeIdle();
    }

    [Test]
    public async Task A_step_that_fails_is_one_requests_error([Values] bool isStreaming)
    {
        // The device fails when it meets a certain token at a certain place: when the poisoned request is under way.
        var poison = Bard.Tokenizer.Encode("poison", false)[0];
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = batch =>
        {
            if (batch.TokenIds.AsSpan(0, batch.TokenCount).Contains(poison))
                throw new InvalidOperationException("the device stumbled");
        });
        var good = Enumerable.Range(0, 10).Select(_ => server.PostJsonAsync("/v1/completions", """{"prompt":"ROMEO:","max_tokens":300}""")).ToList();
        using var bad = await server.PostAsync("/v1/completions", $$"""{"prompt":"poison","max_tokens":300,"stream":{{(isStreaming ? "true" : "false")}}}""");
        Assert.That(bad.StatusCode, Is.EqualTo(HttpStatusCode.InternalServerError), "nothing was sent yet, so the status can say it");
        Assert.That((await TestServer.JsonAsync(bad)).GetProperty("error").GetProperty("message").GetString(), Does.Contain("the device stumbled"));
        foreach (var answer in good)
            Assert.That((await answer).Json.GetProperty("usage").GetProperty("completion_tokens").GetInt32(), Is.EqualTo(300));
        Assert.That(await server.Client.GetStringAsync("/health"), Does.Contain("ok"));
    }

    [Test]
    public async Task A_failure_in_the_middle_of_a_stream_is_an_event()
    {
        var steps = 0;
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ =>
        {
            Thread.Sleep(1);
            if (++steps > 20)
                throw new InvalidOperationException("the device stumbled");
        });
        using var response = await server.PostAsync("/v1/completions", Endless);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        var last = (await response.Content.ReadAsStringAsync()).Split("\n\n")[^2]["data: ".Length..];
        using var document = JsonDocument.Parse(last);
        Assert.That(document.RootElement.GetProperty("error").GetProperty("message").GetString(), Does.Contain("the device stumbled"));
        Assert.That(document.RootElement.GetProperty("error").GetProperty("type").GetString(), Is.EqualTo("server_error"));
    }

    [Test]
    public async Task A_device_that_is_gone_turns_health_red()
    {
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => throw new WeftException("the device is gone"));
        for (var i = 0; i < 40; i++)
            Assert.That((int)(await server.PostJsonAsync("/v1/completions", """{"prompt":"a"}""")).Status, Is.GreaterThanOrEqualTo(500));
        using var health = await server.Client.GetAsync("/health");
        Assert.That(health.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
        Assert.That(await health.Content.ReadAsStringAsync(), Does.Contain("the device is gone"));
    }

    [Test]
    public async Task A_step_that_does_not_return_turns_health_red_until_it_does()
    {
        using var gate = new SemaphoreSlim(0);
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => gate.Wait(), options: new() { StepLimit = TimeSpan.FromMilliseconds(200) });
        Task<HttpStatusCode> Health() => server.Client.GetAsync("/health").ContinueWith(answer => answer.Result.StatusCode);
        Assert.That(await Health(), Is.EqualTo(HttpStatusCode.OK), "an engine without work does not hang");
        var answer = server.PostJsonAsync("/v1/completions", """{"prompt":"a","max_tokens":2}""");
        try
        {
            Assert.That(Health, Is.EqualTo(HttpStatusCode.ServiceUnavailable).After(10_000, 20));
            Assert.That((await server.GetJsonAsync("/health")).GetProperty("error").GetProperty("message").GetString(), Does.Contain("A step of 'bard' has not returned"));
        }
        finally
        {
            gate.Release(1000);
        }

        Assert.That((await answer).Status, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(Health, Is.EqualTo(HttpStatusCode.OK).After(10_000, 20));
    }

    [Test]
    public async Task A_step_that_does_not_return_does_not_keep_the_server_from_its_end()
    {
        using var gate = new SemaphoreSlim(0);
        var (drain, patience) = (TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(50));
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => gate.Wait(), options: new() { DrainTime = drain, StepPatience = patience });
        var answer = server.PostJsonAsync("/v1/completions", """{"prompt":"a","max_tokens":2}""");
        try
        {
            Assert.That(() => server.Engine.StepElapsed, Is.GreaterThan(TimeSpan.Zero).After(10_000, 5));
            await server.Server.StopAsync().WaitAsync(TimeSpan.FromSeconds(20));
            Assert.That(() => answer, Throws.InstanceOf<HttpRequestException>(), "its connection is closed");
            Assert.That(await server.Engine.CloseAsync(TimeSpan.Zero, TimeSpan.Zero), Is.False, "the model is still in use");
        }
        finally
        {
            gate.Release(1000);
        }

        Assert.That(await server.Engine.CloseAsync(TimeSpan.Zero, TimeSpan.FromSeconds(20)), Is.True);
    }

    [Test]
    public async Task A_request_gives_its_own_time()
    {
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => Thread.Sleep(5));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = new StringContent("""{"prompt":"a","max_tokens":900,"ignore_eos":true}""") };
        request.Headers.Add("X-Request-Timeout", "0.2");
        using var answer = await server.Client.SendAsync(request);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.GatewayTimeout));
        server.ShouldBecomeIdle();
        using var wrong = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = new StringContent("""{"prompt":"a"}""") };
        wrong.Headers.Add("X-Request-Timeout", "soon");
        using var refused = await server.Client.SendAsync(wrong);
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
    }

    [Test]
    public async Task A_stream_with_nothing_to_say_sends_comments()
    {
        using var gate = new SemaphoreSlim(0);
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => gate.Wait(), options: new() { PingInterval = TimeSpan.FromMilliseconds(20) });
        using var response = await server.PostAsync("/v1/completions", """{"prompt":"a","max_tokens":2,"stream":true}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.That(await reader.ReadLineAsync(), Is.EqualTo(": ping"));
        gate.Release(1000);
        Assert.That(await reader.ReadToEndAsync(), Does.EndWith("data: [DONE]\n\n"));
    }

    [TestCase("GARBAGE\r\n\r\n")]
    [TestCase("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"prompt\"")]
    [TestCase("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n{}")]
    [TestCase("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]
    public async Task A_connection_that_breaks_off_or_sends_rubbish_harms_nobody(string bytes)
    {
        await using var server = await TestServer.WithStubAsync();
        using (var connection = await server.ConnectAsync())
        {
            await connection.WriteAsync(Encoding.ASCII.GetBytes(bytes));
            await connection.FlushAsync();
        }

        var (status, _) = await server.PostJsonAsync("/v1/completions", """{"prompt":"a"}""");
        Assert.That(status, Is.EqualTo(HttpStatusCode.OK));
        server.ShouldBecomeIdle();
    }

    [Test]
    public async Task Ten_thousand_random_bodies_get_a_clean_answer_each()
    {
        await using var server = await TestServer.WithStubAsync();
        var random = new Random(17);
        var paths = new[] { "/v1/completions", "/v1/chat/completions", "/tokenize", "/detokenize", "/apply-template", "/api/chat", "/api/generate", "/api/show" };
        var counts = new SortedDictionary<int, int>();
        for (var round = 0; round < 200; round++)
        {
            var answers = Enumerable.Range(0, 50).Select(async _ =>
            {
                byte[] body;
                string path;
                lock (random)
                    (path, body) = (paths[random.Next(paths.Length)], RandomBody.Create(random));
                using var content = new ByteArrayContent(body);
                using var response = await server.Client.PostAsync(path, content);
                var text = await response.Content.ReadAsStringAsync();
                var status = (int)response.StatusCode;
                if (status is not (>= 200 and < 300 or >= 400 and < 500 or 501))
                    Assert.Fail($"{path} answers {status} to {Encoding.UTF8.GetString(body)}: {text}");
                if (status >= 400)
                    Assert.That(text, Does.StartWith("{\"error\":"));
                return status;
            }).ToList();
            foreach (var status in await Task.WhenAll(answers))
                counts[status] = counts.GetValueOrDefault(status) + 1;
        }

        TestContext.Out.WriteLine(string.Join(", ", counts.Select(entry => $"{entry.Value} × {entry.Key}")));
        Assert.That(counts[200], Is.GreaterThan(1000), "many bodies are good ones");
        Assert.That(counts[400], Is.GreaterThan(1000));
        server.ShouldBecomeIdle();
        Assert.That(server.Engine.Failure, Is.Null);
        Assert.That(await server.Client.GetStringAsync("/health"), Does.Contain("ok"));
    }
}
