using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Weft.Daemon.Hosting;
using Weft.Daemon.Models;
using Weft.Daemon.Tests.Support;

namespace Weft.Daemon.Tests;

/// <summary>What those who run the server see of it: probes, metrics, keys, origins, ids, limits, sockets, its start and its end.</summary>
[TestFixture]
public sealed partial class OperationsTests
{
    [Test]
    public async Task Health_is_503_until_the_model_is_loaded_and_while_draining()
    {
        using var gate = new SemaphoreSlim(0);
        ModelSource source = new("bard", () =>
        {
            gate.Wait();
            return Model.Load(Bard.File, new() { MaxSequences = 4 });
        });
        await using var server = await DaemonServer.StartAsync(new() { Port = 0, LogLevel = LogLevel.None, DrainTime = TimeSpan.FromSeconds(10) }, [source], new(), default);
        using var client = new HttpClient { BaseAddress = new Uri(server.Address) };
        using var loading = await client.GetAsync("/health");
        Assert.That(loading.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
        Assert.That((await TestServer.JsonAsync(loading)).GetProperty("error").GetProperty("message").GetString(), Does.Contain("being loaded"));
        using var early = await client.PostAsync("/v1/completions", new StringContent("""{"prompt":"a"}"""));
        Assert.That(early.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
        Assert.That(early.Headers.RetryAfter, Is.Not.Null);

        gate.Release();
        await server.Ready;
        Assert.That(await client.GetStringAsync("/health"), Is.EqualTo("""{"status":"ok"}"""));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent("""{"prompt":"ROMEO:","max_tokens":200,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true}}"""),
        };
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        var stopping = server.StopAsync();
        Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain("\"completion_tokens\":200").And.EndsWith("[DONE]\n\n"), "what was begun is finished");
        await stopping;
        Assert.That(() => client.GetAsync("/health"), Throws.InstanceOf<HttpRequestException>());
    }

    [Test]
    public async Task A_model_that_is_still_loaded_does_not_keep_the_server_from_its_end()
    {
        using var gate = new SemaphoreSlim(0);
        ModelSource source = new("bard", () =>
        {
            gate.Wait();
            throw new WeftException("too late");
        });
        var server = await DaemonServer.StartAsync(new() { Port = 0, StepPatience = TimeSpan.FromMilliseconds(50) }, [source], new(), default);
        await server.StopAsync().WaitAsync(TimeSpan.FromSeconds(20));
        await server.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));
        gate.Release();
        Assert.That(() => server.Ready, Throws.TypeOf<WeftException>());
    }

    [Test]
    public async Task The_likeliest_and_a_drawn_token_come_before_readiness()
    {
        var reasons = new System.Collections.Concurrent.ConcurrentBag<object?>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            // The engine that warms a model up has no name, so that it is in nobody's metrics.
            if (instrument.Meter.Name == Engine.MeterName && instrument.Name == "request_success" && instrument.Meter.Tags!.Contains(new("model_name", "")))
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, count, tags, _) =>
        {
            for (; count > 0; count--)
                reasons.Add(tags[0].Value);
        });
        listener.Start();
        await using var server = await TestServer.WithBardAsync();
        Assert.That(reasons, Is.EquivalentTo(new[] { "length", "length" }));
    }

    [Test]
    public async Task A_model_that_cannot_be_loaded_fails_with_its_sentence()
    {
        await using var server = await DaemonServer.StartAsync(
            new() { Port = 0, LogLevel = LogLevel.None }, [new("none", () => Model.Load("/no/such.weft"))], new(), default);
        Assert.That(() => server.Ready, Throws.InstanceOf<WeftException>().With.Message.Contains("/no/such.weft"));
    }

    [TestCase(null, "has no chat template")]
    [TestCase("{%- for message in messages -%}\n{{ message[ }}", "of the chat template cannot be read: ")]
    public async Task A_model_that_cannot_chat_says_so_and_still_completes(string? template, string message)
    {
        var file = template is null ? Bard.File : Bard.Pack(template, "broken.weft");
        await using var server = await DaemonServer.StartAsync(new() { Port = 0, LogLevel = LogLevel.None }, [new("bard", () => Model.Load(file))], new(), default);
        await server.Ready;
        using var client = new HttpClient { BaseAddress = new Uri(server.Address) };
        using var chat = await client.PostAsync("/v1/chat/completions", new StringContent("""{"messages":[{"role":"user","content":"hi"}]}"""));
        Assert.That((await TestServer.JsonAsync(chat)).GetProperty("error").GetProperty("message").GetString(), Does.Contain(message));
        Assert.That(chat.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
        using var completion = await client.PostAsync("/v1/completions", new StringContent("""{"prompt":"ROMEO:","max_tokens":3}"""));
        Assert.That(completion.StatusCode, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task Metrics_are_prometheus_text_under_the_names_that_endpoint_pickers_expect()
    {
        await using var server = await TestServer.WithStubAsync();
        for (var i = 0; i < 3; i++)
            await server.PostJsonAsync("/v1/completions", """{"prompt":"ROMEO: Romeo, wherefore art thou Romeo? Deny thy father and refuse thy name","max_tokens":11}""");
        using var response = await server.Client.GetAsync("/metrics");
        Assert.That(response.Content.Headers.ContentType!.ToString(), Is.EqualTo("text/plain; version=0.0.4; charset=utf-8"));
        var samples = Parse(await response.Content.ReadAsStringAsync());
        double Value(string name, string labels = "") => samples.Single(sample => sample.Name == "vllm:" + name && sample.Labels.Contains(labels)
            && (!name.Contains("info") || sample.Labels.Length > 0) && (sample.Labels.Contains("model_name=\"bard\"") || name.StartsWith("lora"))).Value;
        Assert.That((Value("num_requests_running"), Value("num_requests_waiting"), Value("kv_cache_usage_perc")), Is.EqualTo((0.0, 0.0, 0.0)));
        Assert.That((Value("generation_tokens_total"), Value("request_success_total", "finished_reason=\"length\"")), Is.EqualTo((33.0, 3.0)));
        var prompt = Bard.Tokenizer.Encode("ROMEO: Romeo, wherefore art thou Romeo? Deny thy father and refuse thy name").Length;
        Assert.That((Value("prompt_tokens_total"), Value("prefix_cache_queries_total")), Is.EqualTo((3.0 * prompt, 3.0 * prompt)));
        Assert.That(Value("prefix_cache_hits_total"), Is.EqualTo(2 * ((prompt - 1) / 16 * 16)).And.Positive);
        Assert.That(Value("num_preemptions_total"), Is.Zero);
        Assert.That(Value("cache_config_info", "num_gpu_blocks=\"400\""), Is.EqualTo(1));
        Assert.That(Value("lora_requests_info", "max_lora"), Is.Positive);
        foreach (var (name, count) in new[]
        {
            ("time_to_first_token_seconds", 3.0), ("inter_token_latency_seconds", 30), ("e2e_request_latency_seconds", 3), ("request_queue_time_seconds", 3),
            ("request_prefill_time_seconds", 3), ("request_decode_time_seconds", 3), ("request_prompt_tokens", 3), ("request_generation_tokens", 3), ("iteration_tokens_total", 33),
        })
        {
            Assert.That(Value(name + "_count"), Is.EqualTo(count), name);
            Assert.That(Value(name + "_bucket", "le=\"+Inf\""), Is.EqualTo(count), name);
            var buckets = samples.Where(sample => sample.Name == $"vllm:{name}_bucket").Select(sample => sample.Value).ToList();
            Assert.That(buckets, Is.Ordered, name);
        }

        Assert.That(Value("iteration_tokens_total_sum"), Is.EqualTo(prompt + (2 * (prompt - ((prompt - 1) / 16 * 16))) + 30));
    }

    [Test]
    public async Task A_key_is_needed_where_the_server_has_keys()
    {
        await using var server = await TestServer.WithStubAsync(options: new() { ApiKeys = ["first", "second"] });
        async Task<HttpStatusCode> Status(string path, string? authorization, string? header = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            if (authorization is not null)
                request.Headers.TryAddWithoutValidation("Authorization", authorization);
            if (header is not null)
                request.Headers.Add("x-api-key", header);
            using var response = await server.Client.SendAsync(request);
            return response.StatusCode;
        }

        Assert.That(await Status("/v1/models", "Bearer first"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await Status("/v1/models", "Bearer second"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await Status("/v1/models", null, "second"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await Status("/health", null), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await Status("/metrics", null), Is.EqualTo(HttpStatusCode.OK));
        foreach (var wrong in new[] { null, "Bearer third", "Bearer ", "first", "Bearer first second", "Basic first" })
            Assert.That(await Status("/v1/models", wrong), Is.EqualTo(HttpStatusCode.Unauthorized), wrong);
        Assert.That(await Status("/nothing", null), Is.EqualTo(HttpStatusCode.Unauthorized), "who has no key learns nothing");
    }

    [TestCase("", "evil.example", 403)]
    [TestCase("", "evil.example:8080", 403)]
    [TestCase("", "127.0.0.1.evil.example", 403)]
    [TestCase("", "localhost.evil.example", 403)]
    [TestCase("", "localhost", 200)]
    [TestCase("", "LOCALHOST:8080", 200)]
    [TestCase("", "127.0.0.1:9", 200)]
    [TestCase("", "192.0.2.7", 200)]
    [TestCase("", "[::1]", 200)]
    [TestCase("", "[::1]:8080", 200)]
    [TestCase("model.lan,other.lan", "model.lan:8080", 200)]
    [TestCase("model.lan,other.lan", "Other.LAN", 200)]
    [TestCase("model.lan,other.lan", "evil.example", 403)]
    [TestCase("*", "evil.example", 200)]
    public async Task A_server_for_this_machine_alone_answers_to_its_own_names(string allowed, string host, int status)
    {
        await using var server = await TestServer.WithStubAsync(options: new() { AllowedHosts = allowed.Split(',', StringSplitOptions.RemoveEmptyEntries) });
        using var request = new HttpRequestMessage(HttpMethod.Get, "/health") { Headers = { Host = host } };
        using var answer = await server.Client.SendAsync(request);
        Assert.That((int)answer.StatusCode, Is.EqualTo(status));
        if (status == 403)
            Assert.That((await TestServer.JsonAsync(answer)).GetProperty("error").GetProperty("message").GetString(), Does.Contain($"the host '{host.Split(':')[0]}'"));
    }

    [TestCase("0.0.0.0", "", 200)]
    [TestCase("0.0.0.0", "model.lan", 403)]
    [TestCase("localhost", "", 403)]
    [TestCase("::1", "", 403)]
    public async Task Names_are_checked_at_loopback_addresses_or_where_some_are_given(string address, string allowed, int status)
    {
        DaemonOptions options = new() { Host = address, Port = 0, AllowedHosts = allowed.Split(',', StringSplitOptions.RemoveEmptyEntries) };
        await using var server = await DaemonServer.StartAsync(options, [], new(), default);
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, server.Address.Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal) + "/version") { Headers = { Host = "any.example" } };
        using var answer = await client.SendAsync(request);
        Assert.That((int)answer.StatusCode, Is.EqualTo(status));
    }

    [Test]
    public async Task Pages_of_other_origins_are_let_in_by_name()
    {
        await using var server = await TestServer.WithStubAsync(options: new() { CorsOrigins = ["https://example.org"], ApiKeys = ["key"] });
        async Task<HttpResponseMessage> Send(HttpMethod method, string origin)
        {
            using var request = new HttpRequestMessage(method, "/v1/chat/completions");
            request.Headers.Add("Origin", origin);
            request.Headers.Add("Access-Control-Request-Method", "POST");
            request.Headers.Add("Access-Control-Request-Headers", "authorization, content-type");
            return await server.Client.SendAsync(request);
        }

        using var allowed = await Send(HttpMethod.Options, "https://example.org");
        Assert.That(allowed.StatusCode, Is.EqualTo(HttpStatusCode.NoContent));
        Assert.That(allowed.Headers.GetValues("Access-Control-Allow-Origin"), Is.EqualTo(new[] { "https://example.org" }));
        Assert.That(allowed.Headers.GetValues("Access-Control-Allow-Headers").Single(), Does.Contain("authorization"));
        using var error = await Send(HttpMethod.Post, "https://example.org");
        Assert.That(error.StatusCode, Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(error.Headers.Contains("Access-Control-Allow-Origin"), Is.True, "a page can read the error");
        using var refused = await Send(HttpMethod.Options, "https://example.com");
        Assert.That(refused.Headers.Contains("Access-Control-Allow-Origin"), Is.False);
    }

    [Test]
    public async Task Every_answer_has_an_id_and_takes_the_clients()
    {
        await using var server = await TestServer.WithStubAsync();
        using var own = await server.Client.GetAsync("/version");
        Assert.That(own.Headers.GetValues("X-Request-Id").Single(), Does.Match("^req-[0-9a-f]{24}$"));
        Assert.That(await own.Content.ReadAsStringAsync(), Is.EqualTo("""{"version":"1.2.3"}"""));
        Assert.That((await server.GetJsonAsync("/nothing.txt")).GetProperty("error").GetProperty("code").GetString(), Is.EqualTo("not_found"));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/nothing");
        request.Headers.Add("X-Request-Id", "mine-7");
        using var answer = await server.Client.SendAsync(request);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        Assert.That(answer.Headers.GetValues("X-Request-Id").Single(), Is.EqualTo("mine-7"));
    }

    [TestCase("GET", "/v1/completions", "POST", "method_not_allowed")]
    [TestCase("POST", "/health", "GET, HEAD", "method_not_allowed")]
    [TestCase("DELETE", "/v1/models/bard", "GET, HEAD", "method_not_allowed")]
    [TestCase("OPTIONS", "/v1/models", "GET, HEAD", "method_not_allowed")]
    [TestCase("PUT", "/api/chat", "POST", null)]
    public async Task A_wrong_method_is_405_with_those_that_are_right(string method, string path, string allowed, string? code)
    {
        await using var server = await TestServer.WithStubAsync();
        using var request = new HttpRequestMessage(new(method), path);
        using var answer = await server.Client.SendAsync(request);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.MethodNotAllowed));
        Assert.That(string.Join(", ", answer.Content.Headers.Allow), Is.EqualTo(allowed));
        var error = (await TestServer.JsonAsync(answer)).GetProperty("error");
        Assert.That((code is null ? error : error.GetProperty("message")).GetString(), Is.EqualTo($"{path} does not take {method}, but {allowed}."));
        if (code is not null)
            Assert.That(error.GetProperty("code").GetString(), Is.EqualTo(code));
    }

    [TestCase(false, -1, 400)]
    [TestCase(false, 5, 200)]
    [TestCase(true, -1, 200)]
    public async Task A_request_goes_before_others_only_where_that_is_allowed(bool allowed, int priority, int status)
    {
        await using var server = await TestServer.WithStubAsync(options: new() { AllowPriority = allowed });
        var (actual, json) = await server.PostJsonAsync("/v1/completions", $$"""{"prompt":"a","max_tokens":2,"priority":{{priority}}}""");
        Assert.That((int)actual, Is.EqualTo(status));
        if (status == 400)
            Assert.That(json.GetProperty("error").GetProperty("param").GetString(), Is.EqualTo("priority"));
    }

    [Test]
    public async Task A_body_that_is_too_large_is_413()
    {
        await using var server = await TestServer.WithStubAsync(options: new() { MaxBodyBytes = 1000 });
        var (status, json) = await server.PostJsonAsync("/v1/completions", $$"""{"prompt":"{{new string('a', 2000)}}"}""");
        Assert.That((int)status, Is.EqualTo(413));
        Assert.That(json.GetProperty("error").GetProperty("message").GetString(), Does.Contain("1000 bytes"));
    }

    [Test]
    public async Task A_port_in_use_is_said_so()
    {
        await using var server = await TestServer.WithStubAsync();
        var port = new Uri(server.Server.Address).Port;
        Assert.That(
            () => DaemonServer.StartAsync(new() { Port = port }, [], new(), default),
            Throws.TypeOf<WeftException>().With.Message.EqualTo($"cannot listen at 127.0.0.1:{port}: another program listens there"));
        Assert.That(() => DaemonServer.StartAsync(new() { Host = "no.such.host.invalid", Port = 0 }, [], new(), default), Throws.TypeOf<WeftException>().With.Message.Contains("not known"));
    }

    [Test]
    public async Task A_unix_socket_works_and_one_left_over_is_replaced()
    {
        var path = Path.Combine(Bard.Folder, "weft.sock");
        using (var stale = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            // Closing a socket removes it by its name: under another it stays, as after a kill.
            stale.Bind(new UnixDomainSocketEndPoint(path + ".old"));
            File.Move(path + ".old", path);
        }

        Assert.That(File.Exists(path), Is.True);
        await using var server = await DaemonServer.StartAsync(new() { UnixSocket = path, LogLevel = LogLevel.None }, [], new(), default);
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        using var client = new HttpClient(handler);
        Assert.That(await client.GetStringAsync("http://weft/version"), Does.Contain("version"));
        Assert.That(() => DaemonServer.StartAsync(new() { UnixSocket = path, LogLevel = LogLevel.None }, [], new(), default), Throws.TypeOf<WeftException>().With.Message.Contains("another program"));
    }

    [Test]
    public void A_file_in_the_place_of_a_socket_is_left_as_it_is()
    {
        var path = Path.Combine(Bard.Folder, "precious.txt");
        File.WriteAllText(path, "precious");
        Assert.That(
            () => DaemonServer.StartAsync(new() { UnixSocket = path, LogLevel = LogLevel.None }, [], new(), default),
            Throws.TypeOf<WeftException>().With.Message.Contains("is a file and no socket"));
        Assert.That(File.ReadAllText(path), Is.EqualTo("precious"));
    }

    [Test]
    public async Task Tls_works_with_a_certificate_and_a_bad_one_is_said_so()
    {
        using var key = System.Security.Cryptography.ECDsa.Create();
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=localhost", key, System.Security.Cryptography.HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var path = Path.Combine(Bard.Folder, "certificate.pem");
        File.WriteAllText(path, certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem());
        await using var server = await DaemonServer.StartAsync(new() { Port = 0, Certificate = path, LogLevel = LogLevel.None }, [], new(), default);
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, presented, _, _) => presented!.Thumbprint == certificate.Thumbprint };
        using var client = new HttpClient(handler) { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var answer = await client.GetAsync(server.Address + "/version");
        Assert.That((answer.StatusCode, answer.Version), Is.EqualTo((HttpStatusCode.OK, HttpVersion.Version20)));
        File.WriteAllText(path, "no certificate");
        Assert.That(() => DaemonServer.StartAsync(new() { Port = 0, Certificate = path }, [], new(), default), Throws.TypeOf<WeftException>().With.Message.Contains("cannot be read"));
    }

    private static List<(string Name, string Labels, double Value)> Parse(string text)
    {
        Assert.That(text, Does.EndWith("\n"));
        var (samples, types) = (new List<(string, string, double)>(), new Dictionary<string, string>());
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
                types.Add(line.Split(' ')[2], line.Split(' ')[3]);
            if (line[0] == '#')
                continue;
            var match = SampleLine().Match(line);
            Assert.That(match.Success, Is.True, line);
            var name = match.Groups[1].Value;
            Assert.That(types.Keys, Has.Some.Matches<string>(type => name == type || (types[type!] == "histogram" && name.StartsWith(type + "_", StringComparison.Ordinal))), line);
            samples.Add((name, match.Groups[2].Value, double.Parse(match.Groups[3].Value, CultureInfo.InvariantCulture)));
        }

        return samples;
    }

    [GeneratedRegex("""^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*",?)*)\} ([0-9.eE+-]+)$""")]
    private static partial Regex SampleLine();
}
