using System.Collections.Frozen;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Weft.Daemon.Web;

/// <summary>The page at <c>/</c> and the files under <c>/web/</c> that it is made of, embedded in this assembly. They hold no secret: the page asks for the key.</summary>
internal static class WebPage
{
    private const string Folder = "Web/";

    /// <summary>
    /// All comes from this server, nothing is written into the page, and script can make no markup of text: what a model writes stays text even where
    /// the page has a mistake.
    /// </summary>
    private const string Policy =
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    private static readonly FrozenDictionary<string, WebFile> Files = typeof(WebPage).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Folder, StringComparison.Ordinal)).Select(Load).ToFrozenDictionary(file => file.Path, StringComparer.Ordinal);

    /// <summary>Where its files are.</summary>
    public static IEnumerable<string> Paths => Files.Keys;

    /// <summary>Whether a path is one of its files.</summary>
    public static bool Has(string path) => Files.ContainsKey(path);

    /// <summary>Answers with the file of the request's path, or says that the client's copy is still good.</summary>
    public static async Task SendAsync(HttpContext context)
    {
        var (file, headers) = (Files[context.Request.Path.Value!], context.Response.Headers);
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers.CacheControl = "no-cache";
        headers.ETag = file.Tag.ToString();
        if (context.Request.GetTypedHeaders().IfNoneMatch.Any(tag => tag.Compare(file.Tag, useStrongComparison: false) || tag == EntityTagHeaderValue.Any))
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        context.Response.ContentType = file.ContentType;
        context.Response.ContentLength = file.Content.Length;
        await context.Response.Body.WriteAsync(file.Content, context.RequestAborted).ConfigureAwait(false);
    }

    private static WebFile Load(string resource)
    {
        using var stream = typeof(WebPage).Assembly.GetManifestResourceStream(resource)!;
        var content = new byte[stream.Length];
        stream.ReadExactly(content);
        var name = resource[Folder.Length..];
        var type = Path.GetExtension(name) switch
        {
            ".html" => "text/html",
            ".css" => "text/css",
            ".js" => "text/javascript",
            ".svg" => "image/svg+xml",
            var other => throw new InvalidOperationException($"The page's file '{name}' has no content type for '{other}'."),
        };
        var tag = new EntityTagHeaderValue($"\"{System.Convert.ToHexStringLower(SHA256.HashData(content)[..16])}\"");
        return new(name == "index.html" ? "/" : "/web/" + name, $"{type}; charset=utf-8", tag, content);
    }

    private sealed record WebFile(string Path, string ContentType, EntityTagHeaderValue Tag, ReadOnlyMemory<byte> Content);
}
