using Microsoft.Playwright;

namespace Weft.Daemon.Tests.Support;

/// <summary>The machine's own Chromium without a window, for the tests of the page; they are skipped where there is none.</summary>
internal sealed class Chromium : IAsyncDisposable
{
    private const string Program = "/usr/bin/chromium";

    private static readonly string[] Arguments =
        ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

    private readonly IPlaywright playwright;
    private readonly IBrowser browser;

    private Chromium(IPlaywright playwright, IBrowser browser) => (this.playwright, this.browser) = (playwright, browser);

    public static async Task<Chromium> StartAsync()
    {
        if (!File.Exists(Program))
            Assert.Ignore($"there is no {Program}");
        IPlaywright playwright;
        try
        {
            playwright = await Playwright.CreateAsync();
        }
        catch (PlaywrightException exception)
        {
            Assert.Ignore($"Playwright's driver does not start: {exception.Message}");
            throw;
        }

        return new(playwright, await playwright.Chromium.LaunchAsync(new() { ExecutablePath = Program, Args = Arguments }));
    }

    /// <summary>Opens a server's page in a fresh profile.</summary>
    public async Task<ChatPage> OpenAsync(string address, BrowserNewContextOptions? options = null)
    {
        var context = await browser.NewContextAsync(options);
        return await ChatPage.OpenAsync(context, address);
    }

    public async ValueTask DisposeAsync()
    {
        await browser.DisposeAsync();
        playwright.Dispose();
    }
}
