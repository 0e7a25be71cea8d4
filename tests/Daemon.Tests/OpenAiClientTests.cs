using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;
using Weft.Daemon.Tests.Support;

namespace Weft.Daemon.Tests;

/// <summary>OpenAI's own .NET client against the server, unchanged.</summary>
[TestFixture]
public sealed class OpenAiClientTests
{
    private TestServer server = null!;
    private OpenAIClient client = null!;
    private ChatClient chat = null!;

    private static string Expected(string user, int count) => TestServer.StubText(Bard.Tokenizer.Encode($"USER:\n{user}\n\nASSISTANT:\n", false), count);

    [OneTimeSetUp]
    public async Task Start()
    {
        server = await TestServer.WithStubAsync(options: new() { ApiKeys = ["secret"] });
        client = Client("secret");
        chat = client.GetChatClient(TestServer.ModelName);
    }

    [OneTimeTearDown]
    public async Task Stop() => await server.DisposeAsync();

    [Test]
    public async Task Chat_completes()
    {
        var answer = (await chat.CompleteChatAsync([new UserChatMessage("Hello")], new ChatCompletionOptions { MaxOutputTokenCount = 12, Temperature = 0 })).Value;
        Assert.That(answer.Content[0].Text, Is.EqualTo(Expected("Hello", 12)));
        Assert.That((answer.FinishReason, answer.Role, answer.Model), Is.EqualTo((ChatFinishReason.Length, ChatMessageRole.Assistant, "bard")));
        Assert.That((answer.Usage.OutputTokenCount, answer.Usage.TotalTokenCount), Is.EqualTo((12, answer.Usage.InputTokenCount + 12)));
        Assert.That(answer.CreatedAt, Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)));
    }

    [Test]
    public async Task Chat_streams_with_usage()
    {
        var (text, reasons, tokens) = (new StringBuilder(), new List<ChatFinishReason>(), 0);
        await foreach (var update in chat.CompleteChatStreamingAsync([new SystemChatMessage("Be brief."), new UserChatMessage("Hello")], new() { MaxOutputTokenCount = 30 }))
        {
            foreach (var part in update.ContentUpdate)
                text.Append(part.Text);
            if (update.FinishReason is { } reason)
                reasons.Add(reason);
            tokens += update.Usage?.OutputTokenCount ?? 0;
        }

        Assert.That(text.ToString(), Is.EqualTo(TestServer.StubText(Bard.Tokenizer.Encode("SYSTEM:\nBe brief.\n\nUSER:\nHello\n\nASSISTANT:\n", false), 30)));
        Assert.That(reasons, Is.EqualTo(new[] { ChatFinishReason.Length }));
        Assert.That(tokens, Is.EqualTo(30));
    }

    [Test]
    public async Task Log_probabilities_and_stops_arrive()
    {
        var stop = Expected("Hello", 12)[10..14];
        var options = new ChatCompletionOptions { MaxOutputTokenCount = 12, Temperature = 0, IncludeLogProbabilities = true, TopLogProbabilityCount = 2, StopSequences = { stop } };
        var answer = (await chat.CompleteChatAsync([new UserChatMessage("Hello")], options)).Value;
        Assert.That(answer.FinishReason, Is.EqualTo(ChatFinishReason.Stop));
        Assert.That(answer.Content[0].Text, Is.EqualTo(Expected("Hello", 12)[..10]));
        Assert.That(answer.ContentTokenLogProbabilities[0].TopLogProbabilities, Has.Count.EqualTo(2));
        Assert.That(answer.ContentTokenLogProbabilities[0].LogProbability, Is.EqualTo(5 - Math.Log(Math.Exp(5) + 2047)).Within(1e-5));
    }

    [Test]
    public async Task Models_are_listed()
    {
        var models = (await client.GetOpenAIModelClient().GetModelsAsync()).Value;
        Assert.That(models.Select(model => model.Id), Is.EqualTo(new[] { "bard" }));
        OpenAIModel model = await client.GetOpenAIModelClient().GetModelAsync("bard");
        Assert.That(model.OwnedBy, Is.EqualTo("weft"));
    }

    [Test]
    public async Task Errors_have_their_status_and_sentence()
    {
        var wrongKey = await FailureAsync(() => Client("wrong").GetChatClient("bard").CompleteChatAsync("Hello"));
        Assert.That(wrongKey.Status, Is.EqualTo(401));
        var unknown = await FailureAsync(() => client.GetChatClient("other").CompleteChatAsync("Hello"));
        Assert.That(unknown.Status, Is.EqualTo(404));
        Assert.That(unknown.Message, Does.Contain("'other' does not exist"));
        var range = await FailureAsync(() => chat.CompleteChatAsync([new UserChatMessage("Hello")], new() { Temperature = -1 }));
        Assert.That(range.Status, Is.EqualTo(400));
        Assert.That(range.Message, Does.Contain("temperature"));
        var tools = new ChatCompletionOptions { Tools = { ChatTool.CreateFunctionTool("f") } };
        Assert.That((await FailureAsync(() => chat.CompleteChatAsync([new UserChatMessage("Hello")], tools))).Status, Is.EqualTo(501));
    }

    [Test]
    public async Task Cancelling_ends_the_request_on_the_server()
    {
        await using var slow = await TestServer.WithStubAsync(program => program.OnStep = _ => Thread.Sleep(5));
        var slowChat = new OpenAIClient(new ApiKeyCredential("any"), Options(slow)).GetChatClient("bard");
        using var cancellation = new CancellationTokenSource();
        var pieces = 0;
        Assert.That(
            async () =>
            {
                await foreach (var update in slowChat.CompleteChatStreamingAsync([new UserChatMessage("Hello")], new() { MaxOutputTokenCount = 900 }, cancellation.Token))
                {
                    if (++pieces == 5)
                        await cancellation.CancelAsync();
                }
            },
            Throws.InstanceOf<OperationCanceledException>());
        slow.ShouldBecomeIdle();
    }

    private static async Task<ClientResultException> FailureAsync(Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (ClientResultException failure)
        {
            return failure;
        }

        throw new AssertionException("the call succeeds");
    }

    private OpenAIClient Client(string key) => new(new ApiKeyCredential(key), Options(server));

    private static OpenAIClientOptions Options(TestServer server) =>
        new() { Endpoint = new Uri(server.Server.Address + "/v1"), RetryPolicy = new ClientRetryPolicy(0), NetworkTimeout = TimeSpan.FromSeconds(20) };
}
