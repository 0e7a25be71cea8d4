using System.Net;
using System.Text.RegularExpressions;
using Weft.Daemon.Tests.Support;

namespace Weft.Daemon.Tests;

/// <summary>How the page's files are served.</summary>
[TestFixture]
public sealed partial class WebPageTests
{
    [Test]
    public async Task Every_file_that_the_page_names_is_there_typed_guarded_and_open_without_a_key()
    {
        await using var server = await TestServer.WithStubAsync(options: new() { ApiKeys = ["key"] });
        var (seen, wanted) = (new HashSet<string>(), new Queue<string>(["/"]));
        while (wanted.TryDequeue(out var path))
        {
            if (!seen.Add(path))
                continue;
            using var response = await server.Client.GetAsync(path);
            Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), path);
            Assert.That(response.Content.Headers.ContentType!.ToString(), Is.EqualTo(Path.GetExtension(path) switch
            {
                ".css" => "text/css; charset=utf-8",
                ".js" => "text/javascript; charset=utf-8",
                ".svg" => "image/svg+xml; charset=utf-8",
                _ => "text/html; charset=utf-8",
            }));
            Assert.That(response.Headers.GetValues("X-Content-Type-Options").Single(), Is.EqualTo("nosniff"));
            Assert.That(response.Headers.GetValues("Content-Security-Policy").Single(), Does.StartWith("default-src 'self';").And.Not.Contain("unsafe"));
            var text = await response.Content.ReadAsStringAsync();
            Assert.That(text, Does.Not.Contain("innerHTML").And.Not.Contain("style=\"").And.Not.Match("<script>|<style| on[a-z]+=\""));
            foreach (Match name in Reference().Matches(text))
                wanted.Enqueue("/web/" + name.Groups[1].Value);
        }

        Assert.That(seen, Is.EquivalentTo(Web.WebPage.Paths), "files that nothing names");
        Assert.That((await server.Client.GetAsync("/web/none.js")).StatusCode, Is.EqualTo(HttpStatusCode.Unauthorized));
    }

    [Test]
    public async Task A_copy_that_is_still_good_is_not_sent_again()
    {
        await using var server = await TestServer.WithStubAsync();
        using var first = await server.Client.GetAsync("/web/main.js");
        Assert.That(first.Headers.CacheControl!.NoCache, Is.True);
        foreach (var tag in new[] { first.Headers.ETag!.ToString(), "W/" + first.Headers.ETag, $"\"other\", {first.Headers.ETag}", "*" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/web/main.js");
            request.Headers.TryAddWithoutValidation("If-None-Match", tag);
            using var again = await server.Client.SendAsync(request);
            Assert.That((again.StatusCode, (await again.Content.ReadAsByteArrayAsync()).Length), Is.EqualTo((HttpStatusCode.NotModified, 0)), tag);
        }

        using var changed = new HttpRequestMessage(HttpMethod.Get, "/web/main.js") { Headers = { { "If-None-Match", "\"other\"" } } };
        Assert.That((await server.Client.SendAsync(changed)).StatusCode, Is.EqualTo(HttpStatusCode.OK));
        using var head = await server.Client.SendAsync(new(HttpMethod.Head, "/"));
        Assert.That((head.StatusCode, head.Content.Headers.ContentLength > 1000), Is.EqualTo((HttpStatusCode.OK, true)));
    }

    [GeneratedRegex("""(?:web/|from '\./)([\w.]+\.\w+)["']""")]
    private static partial Regex Reference();
}
