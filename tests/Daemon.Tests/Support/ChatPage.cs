using System.Text.Json;
using Microsoft.Playwright;

namespace Weft.Daemon.Tests.Support;

/// <summary>The server's page, open in a browser, and everything that went wrong in it.</summary>
internal sealed class ChatPage : IAsyncDisposable
{
    private readonly IBrowserContext context;
    private readonly List<string> faults = [];

    private ChatPage(IBrowserContext context, IPage page, string address)
    {
        (this.context, Page) = (context, page);
        page.SetDefaultTimeout(15_000);
        page.PageError += (_, error) => faults.Add(error);
        page.Console += (_, message) =>
        {
            // An answer with an error status is one of the API's answers.
            if (message.Type == "error" && !message.Text.StartsWith("Failed to load resource: the server responded", StringComparison.Ordinal))
                faults.Add(message.Text);
        };
        context.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(address + "/", StringComparison.Ordinal))
                faults.Add("request to " + request.Url);
        };
    }

    public IPage Page { get; }

    public ILocator Input => Page.Locator("#input");

    public ILocator Answers => Page.Locator(".message.assistant");

    public ILocator LastAnswer => Answers.Last;

    /// <summary>The text of the last answer.</summary>
    public ILocator LastText => LastAnswer.Locator("> .text");

    public ILocator Error => Page.Locator(".error:visible");

    public static async Task<ChatPage> OpenAsync(IBrowserContext context, string address)
    {
        var page = new ChatPage(context, await context.NewPageAsync(), address);
        await page.Page.GotoAsync(address + "/");
        return page;
    }

    /// <summary>Sends a message without waiting for its answer.</summary>
    public async Task SendAsync(string text)
    {
        await Input.FillAsync(text);
        await Input.PressAsync("Enter");
    }

    /// <summary>Sends a message and waits for the end of its answer.</summary>
    public async Task AskAsync(string text)
    {
        var count = await Answers.CountAsync();
        await SendAsync(text);
        await Assertions.Expect(Answers).ToHaveCountAsync(count + 1);
        await ShouldEndAsync();
    }

    /// <summary>Waits for the end of the last answer.</summary>
    public Task ShouldEndAsync() => Assertions.Expect(LastAnswer).ToHaveAttributeAsync("aria-busy", "false", new() { Timeout = 30_000 });

    /// <summary>Gives a setting a value.</summary>
    public Task SetAsync(string name, string value) => Page.Locator($"#settings [name={name}]").FillAsync(value);

    public Task ChooseAsync(string mode) => Page.Locator($"#mode label:has([value={mode}])").ClickAsync();

    /// <summary>Answers in place of the server: a chat of these pieces.</summary>
    public Task RouteChatAsync(params IEnumerable<string> pieces)
    {
        var events = pieces.Select(piece => JsonSerializer.Serialize(new { choices = new[] { new { index = 0, delta = new { content = piece } } } }))
            .Append("""{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}""").Append("[DONE]");
        var body = string.Concat(events.Select(data => $"data: {data}\n\n"));
        return Page.RouteAsync("**/v1/chat/completions", route => route.FulfillAsync(new() { ContentType = "text/event-stream", Body = body }));
    }

    /// <summary>Takes note of the bodies of requests, which go on to the server.</summary>
    public async Task<IReadOnlyList<JsonElement>> WatchAsync(string path)
    {
        var bodies = new List<JsonElement>();
        await Page.RouteAsync("**" + path, route =>
        {
            bodies.Add(JsonSerializer.Deserialize<JsonElement>(route.Request.PostData!));
            return route.ContinueAsync();
        });
        return bodies;
    }

    /// <summary>Waits for an error that is meant to happen.</summary>
    public async Task ShouldHaveFaultAsync(string text)
    {
        for (var tries = 0; tries < 100 && faults.RemoveAll(fault => fault.Contains(text, StringComparison.Ordinal)) == 0; tries++)
        {
            Assert.That(tries, Is.LessThan(99), $"there was no error with '{text}'");
            await Task.Delay(50);
        }
    }

    /// <summary>Closes the page; nothing must have gone wrong in it.</summary>
    public async ValueTask DisposeAsync()
    {
        await context.DisposeAsync();
        Assert.That(faults, Is.Empty, "errors on the page");
    }
}
