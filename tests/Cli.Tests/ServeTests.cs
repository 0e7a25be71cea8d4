using System.Diagnostics;
using System.Net;
using System.Text.RegularExpressions;

namespace Weft.Cli.Tests;

/// <summary><c>weft serve</c> as a process: how it starts, what signals do, and what happens to its files.</summary>
[TestFixture]
public sealed partial class ServeTests
{
    private const string Endless = """{"prompt":"ROMEO:","max_tokens":200,"ignore_eos":true,"temperature":0}""";

    [TestCase("INT")]
    [TestCase("TERM")]
    public async Task A_signal_under_load_finishes_what_runs_refuses_what_comes_and_ends_with_0(string signal)
    {
        using var server = await ServerProcess.StartAsync(TestModels.Packed, "--port", "0");
        var before = await server.CountRequestsAsync();
        var answers = Enumerable.Range(0, 8).Select(_ => server.PostAsync(Endless)).ToList();
        while (await server.CountRequestsAsync() < before + answers.Count)
            await Task.Delay(5);
        server.Send(signal);
        foreach (var answer in answers)
            Assert.That((await answer).Status, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(server.Process.WaitForExit(20_000), Is.True);
        server.Process.WaitForExit(); // for the end of what it wrote, too
        Assert.That(server.Process.ExitCode, Is.Zero);
        Assert.That(server.Errors, Does.Contain("stopping").And.Contain("POST /v1/completions 200").And.Not.Contain("ROMEO"));
    }

    [Test]
    public async Task A_server_that_is_killed_under_load_leaves_nothing_in_the_way_of_the_next()
    {
        var socket = TestModels.NewPath(".sock");
        using (var server = await ServerProcess.StartAsync(TestModels.Packed, "--unix-socket", socket))
        {
            var answers = Enumerable.Range(0, 20).Select(_ => server.PostAsync(Endless)).ToList();
            await Task.WhenAny(answers);
            server.Send("KILL");
            server.Process.WaitForExit();
            Assert.That(() => Task.WhenAll(answers), Throws.InstanceOf<HttpRequestException>());
        }

        Assert.That(File.Exists(socket), Is.True, "a killed process removes nothing");
        using var next = await ServerProcess.StartAsync(TestModels.Packed, "--unix-socket", socket);
        Assert.That((await next.PostAsync(Endless)).Status, Is.EqualTo(HttpStatusCode.OK));
    }

    [Test]
    public async Task A_model_file_that_is_replaced_while_it_is_served_changes_nothing_until_the_next_start()
    {
        var model = TestModels.NewPath(".weft");
        File.Copy(TestModels.Packed, model);
        using var server = await ServerProcess.StartAsync(model, "--port", "0", "--name", "m");
        var before = await server.PostAsync(Endless);
        // As the converter writes: another file under the same name.
        var other = model + ".new";
        File.WriteAllBytes(other, new byte[5000]);
        File.Move(other, model, overwrite: true);
        var after = await server.PostAsync(Endless);
        Assert.That(Text(after.Body), Is.EqualTo(Text(before.Body)));
        var outcome = WeftProcess.Run("serve", model, "--port", "0");
        Assert.That((outcome.ExitCode, outcome.Error), Is.EqualTo((1, outcome.Error)));
        Assert.That(outcome.Error, Does.Contain(model));
    }

    /// <summary>The prompt is the source, and counted.</summary>
    [Test]
    public async Task An_encoder_decoder_is_served()
    {
        using var server = await ServerProcess.StartAsync(Require.Golden("t5"), "--port", "0");
        var (status, body) = await server.PostAsync("""{"prompt":[5,6,7,8,9,1],"max_tokens":6,"ignore_eos":true,"temperature":0}""");
        Assert.That((status, body), Is.EqualTo((HttpStatusCode.OK, body)));
        Assert.That(body, Does.Contain("\"prompt_tokens\":6").And.Contain("\"completion_tokens\":6"));
    }

    [Test]
    public async Task A_port_in_use_and_a_missing_model_are_said_in_a_sentence()
    {
        using var server = await ServerProcess.StartAsync(TestModels.Packed, "--port", "0");
        var port = new Uri(server.Address).Port.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var second = WeftProcess.Run("serve", TestModels.Packed, "--port", port);
        Assert.That((second.ExitCode, second.Error.Trim()), Is.EqualTo((1, $"weft: cannot listen at 127.0.0.1:{port}: another program listens there")));
        var missing = WeftProcess.Run("serve", "/no/such/model", "--port", "0");
        Assert.That((missing.ExitCode, missing.Error.Trim()), Is.EqualTo((1, "weft: there is no file or folder '/no/such/model'")));
    }

    [TestCase("--port 70000", "--port is from 0 to 65535")]
    [TestCase("--log loud", "--log is text, json or quiet")]
    [TestCase("--max-sequences 0", "--max-sequences")]
    [TestCase("--step-limit 0", "--step-limit")]
    [TestCase("--certificate-key x.pem", "needs --certificate")]
    [TestCase("--trace-endpoint nonsense", "--trace-endpoint is a URL")]
    [TestCase("a=x.weft --name a", "two models are called 'a'")]
    public void Arguments_that_make_no_sense_are_refused(string arguments, string says)
    {
        var outcome = WeftProcess.Run(["serve", TestModels.Packed, .. arguments.Split(' ')]);
        Assert.That(outcome.ExitCode, Is.EqualTo(2), outcome.ToString());
        Assert.That(outcome.Error, Does.Contain(says));
    }

    [Test]
    public async Task A_server_that_everybody_reaches_without_a_key_warns()
    {
        using var server = await ServerProcess.StartAsync(TestModels.Packed, "--port", "0", "--host", "0.0.0.0", "--log", "json");
        using var client = new HttpClient();
        await client.GetStringAsync($"http://127.0.0.1:{new Uri(server.Address).Port}/version");
        server.Send("TERM");
        server.Process.WaitForExit();
        Assert.That(server.Errors, Does.Contain("warning: everybody who can reach 0.0.0.0").And.Contain("\"Path\":\"/version\""));
    }

    private static string Text(string json)
    {
        using var document = System.Text.Json.JsonDocument.Parse(json);
        return document.RootElement.GetProperty("choices")[0].GetProperty("text").GetString()!;
    }

    /// <summary>A running server.</summary>
    private sealed class ServerProcess : IDisposable
    {
        private readonly System.Text.StringBuilder errors = new();
        private readonly TaskCompletionSource<string> address = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private HttpClient client = new();

        private ServerProcess(Process process) => Process = process;

        public Process Process { get; }

        public string Address { get; private set; } = "";

        public string Errors
        {
            get
            {
                lock (errors)
                    return errors.ToString();
            }
        }

        public static async Task<ServerProcess> StartAsync(params string[] arguments)
        {
            var server = new ServerProcess(WeftProcess.Start(["serve", .. arguments]));
            server.Process.ErrorDataReceived += (_, line) => server.Read(line.Data);
            server.Process.BeginErrorReadLine();
            server.Address = await server.address.Task.WaitAsync(TimeSpan.FromSeconds(60));
            if (server.Address.StartsWith("unix:", StringComparison.Ordinal))
                server.UseSocket(server.Address["unix:".Length..]);
            else
                server.client.BaseAddress = new Uri(server.Address);
            return server;
        }

        public async Task<(HttpStatusCode Status, string Body)> PostAsync(string body)
        {
            using var content = new StringContent(body);
            using var response = await client.PostAsync("/v1/completions", content);
            return (response.StatusCode, await response.Content.ReadAsStringAsync());
        }

        /// <summary>Requests that have reached the engine: they wait, run, or are done.</summary>
        public async Task<int> CountRequestsAsync() => Requests().Matches(await client.GetStringAsync(new Uri("/metrics", UriKind.Relative)))
            .Sum(match => (int)double.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));

        public void Send(string signal)
        {
            using var kill = Process.Start("kill", [$"-{signal}", $"{Process.Id}"]);
            kill.WaitForExit();
        }

        public void Dispose()
        {
            client.Dispose();
            if (!Process.HasExited)
                Process.Kill();
            Process.WaitForExit();
            Process.Dispose();
        }

        private void UseSocket(string path) => client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
                await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(path), cancellation);
                return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
            },
        }) { BaseAddress = new Uri("http://weft") };

        private void Read(string? line)
        {
            if (line is null)
            {
                address.TrySetException(new AssertionException($"the server ended: {Errors}"));
                return;
            }

            lock (errors)
                errors.AppendLine(line);
            if (Serving().Match(line) is { Success: true } match)
                address.TrySetResult(match.Groups[1].Value);
        }
    }

    [GeneratedRegex(@"^vllm:(?:num_requests_running|num_requests_waiting|request_success_total)\{[^}]*\} (\S+)", RegexOptions.Multiline)]
    private static partial Regex Requests();

    [GeneratedRegex("^weft: serving .* at (\\S+)$")]
    private static partial Regex Serving();
}
