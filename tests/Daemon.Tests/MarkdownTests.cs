using Weft.Daemon.Tests.Support;

namespace Weft.Daemon.Tests;

/// <summary>The page's Markdown in a browser: what becomes of it, whole and piece by piece.</summary>
[TestFixture]
public sealed class MarkdownTests
{
    private const string Render =
        """
        async ([text, cuts]) => {
          const { MarkdownView } = await import('/web/markdown.js');
          const host = document.createElement('div');
          const [told, view] = [[], new MarkdownView(host, block => told.push(block))];
          for (const cut of cuts) view.show(text.slice(0, cut), false);
          view.show(text, true);
          for (const bar of host.querySelectorAll(':scope > .code .code-bar')) bar.remove();
          const shown = [...host.children].map(child => child.textContent);
          for (const bar of host.querySelectorAll('.code-bar')) bar.remove();
          for (const link of host.querySelectorAll('a')) for (const name of ['title', 'target', 'rel']) link.removeAttribute(name);
          return [host.innerHTML, told.join('|'), shown.join('|')];
        }
        """;

    private static readonly (string Text, string Html)[] Cases =
    [
        ("", ""),
        ("one\ntwo\n\nthree", "<p>one\ntwo</p><p>three</p>"),
        ("# A\n###### B #\n#hash", "<h3>A</h3><h6>B</h6><p>#hash</p>"),
        ("a *b* **c** ***d*** _e_ __f__ ~~g~~", "<p>a <em>b</em> <strong>c</strong> <strong><em>d</em></strong> <em>e</em> <strong>f</strong> <del>g</del></p>"),
        ("**a *b* c** *a **b** c*", "<p><strong>a <em>b</em> c</strong> <em>a <strong>b</strong> c</em></p>"),
        ("2 * 3 * 4, a_b_c, **, * a*, \\*x\\*, __init", "<p>2 * 3 * 4, a_b_c, **, * a*, *x*, __init</p>"),
        ("`a` ``b ` c`` `*d*` ` `` ` `e", "<p><code>a</code> <code>b ` c</code> <code>*d*</code> <code>``</code> `e</p>"),
        ("[a `b`](https://x.org/(c)) [d](ftp://x) [e](HTTPS://x.org \"t\")", "<p><a href=\"https://x.org/(c)\">a <code>b</code></a> [d](ftp://x) <a href=\"HTTPS://x.org\">e</a></p>"),
        ("See https://x.org/a_b_c. (http://y.org/z) http://", "<p>See <a href=\"https://x.org/a_b_c\">https://x.org/a_b_c</a>. (<a href=\"http://y.org/z\">http://y.org/z</a>) http://</p>"),
        ("- a\n- b\n  more\n\n- c\n\nend", "<ul><li>a</li><li>b\nmore</li><li>c</li></ul><p>end</p>"),
        ("3. a\n   - b\n     * c\n4. d\n- e", "<ol start=\"3\"><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li><li>d</li></ol><ul><li>e</li></ul>"),
        ("1. a\n\n   b\n\n   ```\n   c\n   ```", "<ol start=\"1\"><li>a<p>b</p><div class=\"code\"><pre><code>c</code></pre></div></li></ol>"),
        ("a\n```js\nx < 1\n\n# y\n```\nb", "<p>a</p><div class=\"code\"><pre><code>x &lt; 1\n\n# y</code></pre></div><p>b</p>"),
        ("````\n```\n````\n~~~\nopen", "<div class=\"code\"><pre><code>```</code></pre></div><div class=\"code\"><pre><code>open</code></pre></div>"),
        ("> a\n> - b\n\nc\n***\nd", "<blockquote><p>a</p><ul><li>b</li></ul></blockquote><p>c</p><hr><p>d</p>"),
        ("| a | b |\n|:--|---|\n| c | `d` |\n\n| e", "<div class=\"table\"><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>c</td><td><code>d</code></td></tr></tbody></table></div><p>| e</p>"),
        ("<b>&amp;</b>", "<p>&lt;b&gt;&amp;amp;&lt;/b&gt;</p>"),
    ];

    private Chromium chromium = null!;
    private TestServer server = null!;
    private ChatPage chat = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        chromium = await Chromium.StartAsync();
        server = await TestServer.WithStubAsync();
        chat = await chromium.OpenAsync(server.Server.Address);
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        if (chromium is null)
            return;
        await chat.DisposeAsync();
        await server.DisposeAsync();
        await chromium.DisposeAsync();
    }

    [Test]
    public async Task Markdown_becomes_elements()
    {
        foreach (var (text, html) in Cases)
            Assert.That((await RenderAsync(text, []))[0], Is.EqualTo(html));
    }

    [Test]
    public async Task A_text_that_grows_ends_like_the_whole_and_every_block_is_told_once()
    {
        var random = new Random(7);
        var whole = string.Join("\n\n", Cases.Select(example => example.Text));
        var expected = await RenderAsync(whole, []);
        for (var round = 0; round < 10; round++)
        {
            var cuts = Enumerable.Range(0, whole.Length).Where(_ => random.Next(round + 1) == 0).ToArray();
            var grown = await RenderAsync(whole, cuts);
            Assert.That(grown[0], Is.EqualTo(expected[0]));
            Assert.That(grown[1], Is.EqualTo(grown[2]));
        }
    }

    [Test]
    public async Task Hostile_text_takes_no_time()
    {
        foreach (var piece in new[] { "*", "**a ", "_", "`", "[", "[a](", "http://", "| ", "- ", "> ", "~~a", "\\", "1. a\n   ", "```\n", "# #", "<think>", "[a](http://a(" })
        {
            var start = System.Diagnostics.Stopwatch.GetTimestamp();
            await RenderAsync(string.Concat(Enumerable.Repeat(piece, 30_000 / piece.Length)), [10_000, 20_000]);
            Assert.That(System.Diagnostics.Stopwatch.GetElapsedTime(start), Is.LessThan(TimeSpan.FromSeconds(2)), piece);
        }
    }

    private Task<string[]> RenderAsync(string text, int[] cuts) => chat.Page.EvaluateAsync<string[]>(Render, new object[] { text, cuts });
}
