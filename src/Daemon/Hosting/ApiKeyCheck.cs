using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;
using Weft.Daemon.Web;

namespace Weft.Daemon.Hosting;

/// <summary>
/// Lets requests with a key pass: <c>Authorization: Bearer KEY</c> or <c>x-api-key: KEY</c>. Keys are compared by their hashes, every one of them in
/// constant time, so that the time of an answer tells nothing. Probes, metrics and the page, which asks for the key itself, are open.
/// </summary>
internal sealed class ApiKeyCheck(RequestDelegate next, DaemonOptions options)
{
    private static readonly HashSet<string> Open = new(StringComparer.Ordinal) { "/health", "/metrics", "/version", "/openapi.json", "/favicon.ico" };

    private readonly byte[][] hashes = [.. options.ApiKeys.Select(Hash)];

    /// <summary>Handles a request.</summary>
    /// <exception cref="ApiException">The key is missing or wrong.</exception>
    public Task InvokeAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        if (hashes.Length == 0 || Open.Contains(path) || WebPage.Has(path) || HttpMethods.IsOptions(context.Request.Method))
            return next(context);
        if (KeyOf(context.Request) is not { } key)
            throw ApiException.Unauthorized("An API key is needed: send it as 'Authorization: Bearer KEY'.");
        var (hash, found) = (Hash(key), false);
        foreach (var known in hashes)
            found |= CryptographicOperations.FixedTimeEquals(known, hash);
        return found ? next(context) : throw ApiException.Unauthorized("The API key is not one that this server knows.");
    }

    private static string? KeyOf(HttpRequest request)
    {
        const string Scheme = "Bearer ";
        if (request.Headers.Authorization is [{ } header] && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return header[Scheme.Length..].Trim();
        return request.Headers["x-api-key"] is [{ } key] ? key : null;
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
