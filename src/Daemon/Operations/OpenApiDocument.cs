using Microsoft.AspNetCore.Http;

namespace Weft.Daemon.Operations;

/// <summary><c>GET /openapi.json</c>: every route with what it takes and gives. Written by hand; tests hold routes and answers to it.</summary>
internal static class OpenApiDocument
{
    /// <summary>Answers a request.</summary>
    public static async Task WriteAsync(HttpContext context)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        using var document = Open();
        await document.CopyToAsync(context.Response.Body, context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>The document.</summary>
    public static Stream Open() => typeof(OpenApiDocument).Assembly.GetManifestResourceStream("openapi.json")!;
}
