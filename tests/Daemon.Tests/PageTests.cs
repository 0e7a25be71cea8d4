using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using Weft.Daemon.Hosting;
using Weft.Daemon.Models;
using Weft.Daemon.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace Weft.Daemon.Tests;

/// <summary>What the page does in a browser. After every test its page must have had no error and asked nobody but its server.</summary>
[TestFixture]
public sealed class PageTests
{
    private const string Prompt = "USER:\nHello\n\nASSISTANT:\n";

    private Chromium chromium = null!;

    [OneTimeSetUp]
    public async Task Start() => chromium = await Chromium.StartAsync();

    [OneTimeTearDown]
    public async Task Stop()
    {
        if (chromium is not null)
            await chromium.DisposeAsync();
    }

    [Test]
    public async Task A_chat_streams_the_answer_with_its_figures()
    {
        // The answer stops in the middle until the browser has been looked at, however long that takes.
        using var rest = new ManualResetEventSlim();
        var steps = 0;
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ =>
        {
            if (Interlocked.Increment(ref steps) > 50)
                rest.Wait(TimeSpan.FromSeconds(20));
        });
        await using var chat = await chromium.OpenAsync(server.Server.Address);
        await chat.SetAsync("max_tokens", "100");
        await chat.SendAsync("Hello");
        await Expect(chat.LastText).Not.ToBeEmptyAsync();
        await Expect(chat.LastAnswer).ToHaveAttributeAsync("aria-busy", "true");
        rest.Set();
        await chat.ShouldEndAsync();
        Assert.That(Words(await chat.LastText.InnerTextAsync()), Is.EqualTo(Words(TestServer.StubText(Bard.Tokenizer.Encode(Prompt, addSpecialTokens: false), 100))));
        Assert.That(
            await chat.LastAnswer.Locator(".stats").InnerTextAsync(),
            Does.Match(@"^100 tokens · [0-9.]+ tokens/s · first after [0-9.]+ m?s · token limit$"));
        await Expect(chat.Page.Locator("#model")).ToHaveValueAsync("bard");
        await Expect(chat.Input).ToBeFocusedAsync();
        await Expect(chat.Input).ToBeEmptyAsync();
        // The next turn brings the ones before along.
        var bodies = await chat.WatchAsync("/v1/chat/completions");
        await chat.AskAsync("And then?");
        Assert.That(Roles(bodies[0]), Is.EqualTo("user assistant user"));
    }

    [Test]
    public async Task An_answer_that_is_stopped_costs_nothing_within_a_second([Values] bool isByKey)
    {
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => Thread.Sleep(5));
        await using var chat = await chromium.OpenAsync(server.Server.Address);
        await chat.SendAsync("Hello");
        await Expect(chat.LastText).Not.ToBeEmptyAsync();
        Assert.That(server.Engine.Statistics.Running, Is.EqualTo(1));
        if (isByKey)
            await chat.Page.Keyboard.PressAsync("Escape");
        else
            await chat.Page.ClickAsync("#stop");
        Assert.That(() => server.Engine.Statistics is { Running: 0, Waiting: 0 }, Is.True.After(1000, 10));
        await Expect(chat.LastAnswer.Locator(".stats")).ToHaveTextAsync(new Regex("^~[0-9]+ tokens? .*stopped$"));
        await Expect(chat.Page.Locator("#send")).ToBeVisibleAsync();
        await Expect(chat.Page.Locator("#stop")).ToBeHiddenAsync();
        await Expect(chat.Error).ToHaveCountAsync(0);
    }

    [Test]
    public async Task A_completion_goes_on_from_the_text_as_it_is()
    {
        await using var server = await TestServer.WithStubAsync();
        await using var chat = await chromium.OpenAsync(server.Server.Address);
        await chat.ChooseAsync("completion");
        await chat.SetAsync("max_tokens", "20");
        await chat.AskAsync("ROMEO:\n  ");
        var first = TestServer.StubText(Bard.Tokenizer.Encode("ROMEO:\n  "), 20);
        Assert.That(await chat.LastText.TextContentAsync(), Is.EqualTo(first));
        var bodies = await chat.WatchAsync("/v1/completions");
        await chat.AskAsync("");
        await chat.AskAsync(" more");
        var texts = await chat.Page.Locator(".message > .text").AllTextContentsAsync();
        Assert.That(bodies.Select(body => body.GetProperty("prompt").GetString()), Is.EqualTo(new[] { string.Concat(texts.Take(2)), string.Concat(texts.Take(4)) }));
        Assert.That(texts[3], Is.EqualTo(" more"));
        // Where nothing is said, OpenAI's default of 16 tokens would be too few.
        await chat.SetAsync("max_tokens", "");
        await chat.AskAsync("");
        Assert.That(bodies[^1].GetProperty("max_tokens").GetInt32(), Is.EqualTo(512));
    }

    [Test]
    public async Task Every_setting_reaches_the_request_and_is_kept()
    {
        var values = new Dictionary<string, string>
        {
            ["temperature"] = "0.5", ["top_p"] = "0.9", ["top_k"] = "40", ["min_p"] = "0.05", ["repetition_penalty"] = "1.1", ["presence_penalty"] = "-0.5",
            ["frequency_penalty"] = "0.25", ["max_tokens"] = "7", ["seed"] = "123456789012345", ["system"] = "Be brief.", ["stop"] = "END\n\\n\\nUSER:",
        };
        await using var server = await TestServer.WithBardAsync();
        await using var chat = await chromium.OpenAsync(server.Server.Address);
        var bodies = await chat.WatchAsync("/v1/chat/completions");
        await chat.AskAsync("Hello");
        Assert.That(bodies[0].EnumerateObject().Select(field => field.Name), Is.EquivalentTo(new[] { "model", "messages", "reasoning_format", "stream", "stream_options" }), "what is empty is the server's to choose");
        foreach (var (name, value) in values)
            await chat.SetAsync(name, value);
        await chat.Page.ReloadAsync();
        await chat.Page.ClickAsync("#new");
        await chat.AskAsync("Hello again");
        await Expect(chat.Error).ToHaveCountAsync(0);
        foreach (var (name, value) in values.Where(entry => entry.Key is not ("system" or "stop")))
            Assert.That(bodies[1].GetProperty(name).GetRawText(), Is.EqualTo(value), name);
        Assert.That(bodies[1].GetProperty("stop").EnumerateArray().Select(stop => stop.GetString()), Is.EqualTo(new[] { "END", "\n\nUSER:" }));
        Assert.That(bodies[1].GetProperty("messages")[0].GetRawText(), Is.EqualTo("""{"role":"system","content":"Be brief."}"""));
        await chat.Page.ClickAsync("#settings [type=reset]");
        await chat.AskAsync("And again");
        Assert.That(bodies[2].TryGetProperty("temperature", out _), Is.False);
    }

    [Test]
    public async Task An_error_is_said_in_its_place_and_leaves_the_rest_in_order()
    {
        await using var server = await TestServer.WithStubAsync(context: 100);
        await using var chat = await chromium.OpenAsync(server.Server.Address);
        await chat.SetAsync("max_tokens", "5");
        await chat.SendAsync(string.Concat(Enumerable.Repeat("Romeo, Romeo! ", 60)));
        await Expect(chat.LastAnswer.Locator(".error")).ToContainTextAsync("does not fit the context of 100");
        await Expect(chat.Page.Locator("#send")).ToBeVisibleAsync();
        var bodies = await chat.WatchAsync("/v1/chat/completions");
        await chat.AskAsync("Hello");
        Assert.That(Roles(bodies[0]), Is.EqualTo("user"), "what got no answer is not said again");
        await Expect(chat.LastText).Not.ToBeEmptyAsync();
        await chat.Page.RouteAsync("**/v1/chat/completions", route => route.FulfillAsync(new()
        {
            ContentType = "text/event-stream", Body = "data: {\"choices\":[{\"delta\":{\"content\":\"Half\"}}]}\n\ndata: {\"error\":{\"message\":\"The step failed.\",\"code\":null}}\n\n",
        }));
        await chat.SendAsync("Fail");
        await Expect(chat.LastAnswer.Locator(".error")).ToContainTextAsync("The step failed.");
        await Expect(chat.LastText).ToHaveTextAsync("Half");
        await chat.Page.UnrouteAsync("**/v1/chat/completions");
        await chat.LastAnswer.GetByText("Try again").ClickAsync();
        await chat.ShouldEndAsync();
        await Expect(chat.LastAnswer.Locator(".error")).ToBeHiddenAsync();
    }

    [Test]
    public async Task A_model_that_cannot_chat_is_offered_for_completion_and_one_that_loads_is_waited_for()
    {
        using var mayLoad = new ManualResetEventSlim();
        ModelSource source = new("bard", () =>
        {
            mayLoad.Wait(TimeSpan.FromSeconds(60));
            return Model.Load(Bard.File);
        });
        await using var server = await DaemonServer.StartAsync(new() { Port = 0, LogLevel = LogLevel.None }, [source], new(), default);
        await using var chat = await chromium.OpenAsync(server.Address);
        await Expect(chat.Page.Locator("#notice")).ToHaveTextAsync("The model is still being loaded.");
        mayLoad.Set();
        await Expect(chat.Page.Locator("#model")).ToHaveValueAsync("bard");
        await Expect(chat.Page.Locator("#notice")).ToBeHiddenAsync();
        await chat.SetAsync("max_tokens", "5");
        await chat.SendAsync("ROMEO:");
        await Expect(chat.LastAnswer.Locator(".error")).ToContainTextAsync("has no chat template");
        await chat.LastAnswer.GetByText("Complete the text instead").ClickAsync();
        await chat.ShouldEndAsync();
        await Expect(chat.LastText).Not.ToBeEmptyAsync();
        await Expect(chat.Page.Locator("#mode [value=completion]")).ToBeCheckedAsync();
    }

    [Test]
    public async Task A_key_is_asked_for_when_the_server_wants_one()
    {
        await using var server = await TestServer.WithStubAsync(options: new() { ApiKeys = ["secret"] });
        await using var chat = await chromium.OpenAsync(server.Server.Address);
        var (form, key) = (chat.Page.Locator("#key-form"), chat.Page.Locator("#key"));
        await Expect(form).ToContainTextAsync("An API key is needed");
        await key.FillAsync("wrong");
        await key.PressAsync("Enter");
        await Expect(form).ToContainTextAsync("is not one that this server knows");
        await key.FillAsync("secret");
        await key.PressAsync("Enter");
        await Expect(form).ToBeHiddenAsync();
        await Expect(chat.Page.Locator("#model")).ToHaveValueAsync("bard");
        await chat.SetAsync("max_tokens", "5");
        await chat.AskAsync("Hello");
        await Expect(chat.LastText).Not.ToBeEmptyAsync();
        await chat.Page.ReloadAsync();
        await chat.AskAsync("Hello again");
        await Expect(chat.Error).ToHaveCountAsync(0);
        // A key that is no longer good is asked for again, and the question put again.
        await chat.Page.EvaluateAsync("localStorage.setItem('weft.key', 'old')");
        await chat.SendAsync("Once more");
        await key.FillAsync("secret");
        await key.PressAsync("Enter");
        await Expect(chat.Error).ToHaveCountAsync(0);
        await chat.ShouldEndAsync();
        await Expect(chat.Answers).ToHaveCountAsync(3);
    }

    [Test]
    public async Task Conversations_are_kept_over_a_reload_listed_exported_and_deleted()
    {
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => Thread.Sleep(2));
        await using var chat = await chromium.OpenAsync(server.Server.Address);
        chat.Page.Dialog += (_, dialog) => dialog.AcceptAsync();
        var titles = chat.Page.Locator("#conversations .open");
        await chat.SetAsync("max_tokens", "5");
        await chat.AskAsync("First");
        await chat.Page.ClickAsync("#new");
        await Expect(chat.Answers).ToHaveCountAsync(0);
        await chat.SetAsync("max_tokens", "");
        await chat.SendAsync("Second");
        await Expect(chat.LastText).Not.ToBeEmptyAsync();
        await chat.Page.ReloadAsync();
        await Expect(titles).ToHaveTextAsync(["Second", "First"]);
        await Expect(chat.LastText).Not.ToBeEmptyAsync();
        await Expect(chat.LastAnswer.Locator(".stats")).ToContainTextAsync("interrupted");
        server.ShouldBecomeIdle();
        await titles.Nth(1).ClickAsync();
        await Expect(chat.Page.Locator(".user > .text")).ToHaveTextAsync("First");
        var text = await chat.LastText.InnerTextAsync();
        await chat.Page.ReloadAsync();
        await Expect(chat.Page.Locator(".user > .text")).ToHaveTextAsync("First");
        Assert.That(await chat.LastText.InnerTextAsync(), Is.EqualTo(text).And.Not.Empty);

        var download = await chat.Page.RunAndWaitForDownloadAsync(() => chat.Page.ClickAsync("#export"));
        Assert.That(download.SuggestedFilename, Is.EqualTo("First.json"));
        using var export = JsonDocument.Parse(await File.ReadAllTextAsync(await download.PathAsync()));
        Assert.That(export.RootElement.GetProperty("title").GetString(), Is.EqualTo("First"));
        Assert.That(Roles(export.RootElement), Is.EqualTo("user assistant"));
        Assert.That(export.RootElement.GetProperty("messages")[1].GetProperty("stats").GetProperty("tokens").GetInt32(), Is.EqualTo(5));

        await chat.Page.ClickAsync("#clear");
        await Expect(chat.Answers).ToHaveCountAsync(0);
        await titles.Filter(new() { HasText = "Second" }).ClickAsync();
        await chat.Page.ClickAsync("#conversations li:has-text('Second') .delete");
        await Expect(chat.Answers).ToHaveCountAsync(0);
        Assert.That(await chat.Page.EvaluateAsync<int>("Object.keys(localStorage).filter(name => name.startsWith('weft.conversation')).length"), Is.Zero);
    }

    [Test]
    public async Task Answers_are_made_anew_and_messages_edited_and_copied()
    {
        await using var server = await TestServer.WithStubAsync();
        await using var chat = await chromium.OpenAsync(server.Server.Address, new() { Permissions = ["clipboard-read", "clipboard-write"] });
        var bodies = await chat.WatchAsync("/v1/chat/completions");
        await chat.SetAsync("max_tokens", "5");
        await chat.AskAsync("One");
        await chat.AskAsync("Two");
        await chat.LastAnswer.GetByText("Regenerate").ClickAsync();
        await chat.ShouldEndAsync();
        await Expect(chat.Answers).ToHaveCountAsync(2);
        Assert.That(bodies.Select(Roles), Is.EqualTo(new[] { "user", "user assistant user", "user assistant user" }));
        await chat.LastAnswer.GetByText("Copy").ClickAsync();
        await Expect(chat.LastAnswer.GetByText("Copied")).ToBeVisibleAsync();
        var copied = await chat.Page.EvaluateAsync<string>("navigator.clipboard.readText()");
        Assert.That(Words(copied), Is.EqualTo(Words(await chat.LastText.InnerTextAsync())));

        var first = chat.Page.Locator(".message.user").First;
        await first.HoverAsync();
        await first.GetByText("Edit").ClickAsync();
        await chat.Page.Keyboard.PressAsync("Escape");
        await Expect(first.Locator(".text")).ToHaveTextAsync("One");
        await first.GetByText("Edit").ClickAsync();
        await first.Locator("textarea").FillAsync("Another");
        await chat.Page.Keyboard.PressAsync("Enter");
        await Expect(chat.Answers).ToHaveCountAsync(1);
        await chat.ShouldEndAsync();
        Assert.That(bodies[^1].GetProperty("messages").GetRawText(), Is.EqualTo("""[{"role":"user","content":"Another"}]"""));
    }

    [Test]
    public async Task What_a_model_writes_stays_text()
    {
        const string Text =
            "<img src=x onerror=\"window.hit=1\"> <script>window.hit=2</script>\n\n[link](javascript:window.hit=3) [data](data:text/html,x) <a href=\"ftp://example.org\">a</a>\n\n"
            + "```\"><img src=x onerror=window.hit=4>\n</code></pre><script>window.hit=5</script>\n```\n\n<style>*{display:none}</style><svg onload=window.hit=6>";
        await using var server = await TestServer.WithStubAsync();
        await using var chat = await chromium.OpenAsync(server.Server.Address);
        await chat.RouteChatAsync("<think><iframe src=x></iframe></think>", Text);
        await chat.AskAsync("<b onclick=alert(1)>Attack</b>");
        await chat.LastAnswer.Locator("summary").ClickAsync();
        await Expect(chat.LastAnswer.Locator("details")).ToContainTextAsync("<iframe src=x></iframe>");
        await Expect(chat.LastText).ToContainTextAsync("<img src=x onerror=\"window.hit=1\"> <script>window.hit=2</script>");
        await Expect(chat.LastText).ToContainTextAsync("[link](javascript:window.hit=3)");
        await Expect(chat.LastText.Locator("pre")).ToHaveTextAsync("</code></pre><script>window.hit=5</script>");
        await Expect(chat.Page.Locator("main").Locator("img, script, iframe, style, a, b")).ToHaveCountAsync(0);
        Assert.That(await chat.Page.EvaluateAsync<bool>("'hit' in window"), Is.False);
        // Even where the page had a mistake, no markup would come of it.
        Assert.That(
            () => chat.Page.EvaluateAsync("document.querySelector('main').innerHTML = '<b></b>'"), Throws.TypeOf<PlaywrightException>().With.Message.Contains("TrustedHTML"));
        await chat.ShouldHaveFaultAsync("TrustedHTML");
    }

    [Test]
    public async Task Markdown_and_thoughts_are_shown_as_they_are_meant()
    {
        await using var server = await TestServer.WithStubAsync();
        await using var chat = await chromium.OpenAsync(server.Server.Address, new() { Permissions = ["clipboard-read", "clipboard-write"] });
        await chat.RouteChatAsync("<thi", "nk>\nLet me ", "see.\n</thi", "nk>\n\nHere:\n\n```c", "sharp\nvar x = 1;\n", "```\nDone **well**.");
        await chat.AskAsync("Show me");
        await Expect(chat.LastAnswer.Locator("details")).Not.ToHaveAttributeAsync("open", "");
        await Expect(chat.LastText.Locator("p")).ToHaveTextAsync(["Here:", "Done well."]);
        await Expect(chat.LastText.Locator("strong")).ToHaveTextAsync("well");
        await chat.LastAnswer.Locator("summary").ClickAsync();
        await Expect(chat.LastAnswer.Locator("details p")).ToHaveTextAsync("Let me see.");
        await chat.LastText.Locator(".copy-code").ClickAsync();
        Assert.That(await chat.Page.EvaluateAsync<string>("navigator.clipboard.readText()"), Is.EqualTo("var x = 1;"));
        // Models do not read again what they thought.
        await chat.Page.UnrouteAsync("**/v1/chat/completions");
        var bodies = await chat.WatchAsync("/v1/chat/completions");
        await chat.SetAsync("max_tokens", "3");
        await chat.AskAsync("Next");
        Assert.That(bodies[0].GetProperty("messages")[1].GetProperty("content").GetString(), Does.StartWith("Here:"));
    }

    [Test]
    public async Task Screen_readers_are_told_every_part_of_an_answer_once()
    {
        await using var server = await TestServer.WithStubAsync();
        await using var chat = await chromium.OpenAsync(server.Server.Address);
        var told = chat.Page.Locator("#live p");
        await chat.RouteChatAsync("<think>Hm.</think>First ", "part.\n\nSecond", " **part**.\n\n```js\ncode\n```\n\nThe", " end.");
        await chat.AskAsync("Hello");
        await Expect(told).ToHaveTextAsync(["First part.", "Second part.", "code", "The end."]);
        await chat.Page.ReloadAsync();
        await Expect(chat.LastText).ToContainTextAsync("The end.");
        await Expect(told).ToHaveCountAsync(0);
        await chat.ChooseAsync("completion");
        await Expect(told).ToHaveCountAsync(0);
        await chat.SetAsync("max_tokens", "5");
        await chat.AskAsync(" And");
        Assert.That(string.Concat(await told.AllTextContentsAsync()), Is.EqualTo(await chat.LastText.TextContentAsync()).And.Not.Empty);
    }

    [Test]
    public async Task Five_thousand_pieces_leave_the_page_quick()
    {
        const int Count = 5000;
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => Thread.Sleep(1), context: Count + 100);
        await using var chat = await chromium.OpenAsync(server.Server.Address);
        await chat.SetAsync("max_tokens", Count.ToString(CultureInfo.InvariantCulture));
        await chat.Page.EvaluateAsync(
            "() => { window.gaps = []; let last = performance.now(); const tick = now => { gaps.push(now - last); last = now; requestAnimationFrame(tick); }; requestAnimationFrame(tick); }");
        await chat.SendAsync("Hello");
        for (var i = 0; await chat.LastAnswer.GetAttributeAsync("aria-busy") == "true"; i++)
        {
            await chat.Input.FillAsync($"typed meanwhile {i}", new() { Timeout = 3000 });
            await Task.Delay(200);
        }

        // The stub's random text happens to have some Markdown in it.
        static string Unmarked(string text) => Words(text.Replace("`", "", StringComparison.Ordinal).Replace("*", "", StringComparison.Ordinal));
        Assert.That(
            Unmarked(await chat.LastText.InnerTextAsync()),
            Is.EqualTo(Unmarked(TestServer.StubText(Bard.Tokenizer.Encode(Prompt, addSpecialTokens: false), Count))));
        await Expect(chat.LastAnswer.Locator(".stats")).ToContainTextAsync("5000 tokens");
        var gaps = await chat.Page.EvaluateAsync<double[]>("gaps");
        Array.Sort(gaps);
        TestContext.Out.WriteLine($"{gaps.Length} frames, half of them within {gaps[gaps.Length / 2]:F0} ms, 95% within {gaps[gaps.Length * 95 / 100]:F0} ms, all within {gaps[^1]:F0} ms");
        Assert.That(gaps[gaps.Length * 95 / 100], Is.LessThan(200));
        Assert.That(gaps[^1], Is.LessThan(2000));
    }

    [Test]
    public async Task The_end_stays_in_sight_unless_the_reader_is_elsewhere()
    {
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => Thread.Sleep(3));
        await using var chat = await chromium.OpenAsync(server.Server.Address, new() { ViewportSize = new() { Width = 1200, Height = 400 } });
        await chat.SetAsync("max_tokens", "600");
        Task<double> Below() => chat.Page.EvaluateAsync<double>("() => { const s = document.getElementById('scroller'); return s.scrollHeight - s.clientHeight - s.scrollTop; }");
        Task<double> Top() => chat.Page.EvaluateAsync<double>("document.getElementById('scroller').scrollTop");
        await chat.SendAsync("Hello");
        while (await Top() < 200)
            await Task.Delay(20);
        Assert.That(await Below(), Is.LessThan(4));
        await chat.Page.Mouse.MoveAsync(300, 200);
        await chat.Page.Mouse.WheelAsync(0, -50);
        await Expect(chat.Page.Locator("#to-end")).ToBeVisibleAsync();
        await Task.Delay(200);
        var top = await Top();
        await Task.Delay(500);
        Assert.That(await Top(), Is.EqualTo(top).Within(1), "the text must not move under the reader's eyes");
        Assert.That(await Below(), Is.GreaterThan(50));
        await chat.Page.ClickAsync("#to-end");
        await Task.Delay(300);
        Assert.That(await Below(), Is.LessThan(4));
        await chat.ShouldEndAsync();
        Assert.That(await Below(), Is.LessThan(4));
    }

    [Test]
    public async Task A_phone_shows_everything_without_scrolling_sideways()
    {
        await using var server = await TestServer.WithStubAsync();
        await using var chat = await chromium.OpenAsync(server.Server.Address, new() { ViewportSize = new() { Width = 360, Height = 640 }, HasTouch = true, IsMobile = true });
        await chat.RouteChatAsync(new string('w', 300), "\n\n```\n" + new string('c', 300) + "\n```\n\n| a | " + new string('t', 200) + " |\n|---|---|\n| b | c |\n\n", "https://example.org/" + new string('u', 300));
        await chat.AskAsync(new string('m', 300));
        async Task ShouldFit(string what)
        {
            var width = await chat.Page.EvaluateAsync<int>("Math.max(document.documentElement.scrollWidth, document.getElementById('scroller').scrollWidth)");
            Assert.That(width, Is.LessThanOrEqualTo(360), what);
        }

        await ShouldFit("messages");
        await Expect(chat.Page.Locator("#panel")).ToBeHiddenAsync();
        await chat.Page.ClickAsync("#show-panel");
        await Expect(chat.Page.Locator("#settings [name=temperature]")).ToBeInViewportAsync();
        await ShouldFit("settings");
        await chat.Page.Keyboard.PressAsync("Escape");
        await Expect(chat.Page.Locator("#panel")).ToBeHiddenAsync();
        await chat.Page.ClickAsync("#show-sidebar");
        await Expect(chat.Page.Locator("#new")).ToBeInViewportAsync();
        await chat.Page.ClickAsync("#new");
        await Expect(chat.Page.Locator("#sidebar")).ToBeHiddenAsync();
        foreach (var control in new[] { "#input", "#send", "#model", "#mode" })
            await Expect(chat.Page.Locator(control)).ToBeInViewportAsync(new() { Ratio = 1 });
    }

    [Test]
    public async Task Colours_follow_the_system_until_they_are_switched()
    {
        await using var server = await TestServer.WithStubAsync();
        await using var chat = await chromium.OpenAsync(server.Server.Address, new() { ColorScheme = ColorScheme.Dark });
        Task ShouldBeDark(bool isDark) =>
            Expect(chat.Page.Locator("body")).ToHaveCSSAsync("background-color", isDark ? "rgb(21, 24, 27)" : "rgb(255, 255, 255)");
        await ShouldBeDark(true);
        await chat.Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });
        await ShouldBeDark(false);
        await chat.Page.ClickAsync("#theme");
        await ShouldBeDark(true);
        await chat.Page.ReloadAsync();
        await ShouldBeDark(true);
        // Who switches back follows the system again.
        await chat.Page.ClickAsync("#theme");
        await ShouldBeDark(false);
        await chat.Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Dark });
        await ShouldBeDark(true);
    }

    [Test]
    public async Task Charts_show_what_the_server_does()
    {
        await using var server = await TestServer.WithStubAsync(program => program.OnStep = _ => Thread.Sleep(10), maxSequences: 1);
        await using var chat = await chromium.OpenAsync(server.Server.Address);
        var figures = chat.Page.Locator("#charts figure");
        await Expect(figures).ToHaveCountAsync(3);
        await Expect(figures.Nth(0)).ToContainTextAsync("0 running, 0 waiting");
        await chat.SendAsync("Hello");
        // The page's own request must have come first: the other one would be done before it.
        await Expect(figures.Nth(0)).ToContainTextAsync("1 running, 0 waiting");
        using var cancellation = new CancellationTokenSource();
        var waiting = server.PostAsync("/v1/completions", """{"prompt":"a","max_tokens":2}""", cancellation.Token);
        await Expect(figures.Nth(0)).ToContainTextAsync("1 running, 1 waiting");
        await Expect(figures.Nth(1).Locator("output")).Not.ToHaveTextAsync("0.0%");
        await Expect(figures.Nth(2).Locator("output")).ToHaveTextAsync(new Regex("^[1-9]"));
        foreach (var line in await figures.Locator("path").AllAsync())
            await Expect(line).ToHaveAttributeAsync("d", new Regex("^M[0-9. ]+L"));
        await Expect(figures.Nth(2).Locator("svg")).ToHaveAttributeAsync("aria-label", new Regex("^Tokens/s, last two minutes: now [0-9]"));
        await cancellation.CancelAsync();
        Assert.That(() => waiting, Throws.InstanceOf<OperationCanceledException>());
    }

    private static string Words(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static string Roles(JsonElement body) => string.Join(' ', body.GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("role").GetString()));
}
