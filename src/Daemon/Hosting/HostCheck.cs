using System.Net;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;

namespace Weft.Daemon.Hosting;

/// <summary>
/// Lets requests pass that mean this server by an address, by <c>localhost</c> or by a name that it knows. A page of the web can have its own name
/// lead to 127.0.0.1 (DNS rebinding) and then counts as of one origin with a server there; the name in its requests gives it away.
/// </summary>
internal sealed class HostCheck(RequestDelegate next, DaemonOptions options)
{
    private const string Any = "*";

    private readonly HashSet<string> names = new([.. options.AllowedHosts, options.Host, "localhost"], StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether a server needs it: one for this machine alone, which trusts whoever reaches it, or one with names of its own.</summary>
    /// <param name="options">The names.</param>
    /// <param name="address">Where it listens; null for a Unix socket.</param>
    public static bool IsNeeded(DaemonOptions options, IPAddress? address) =>
        !options.AllowedHosts.Contains(Any) && (options.AllowedHosts.Count > 0 || (address is not null && IPAddress.IsLoopback(address)));

    /// <summary>Handles a request.</summary>
    /// <exception cref="ApiException">It means another server.</exception>
    public Task InvokeAsync(HttpContext context)
    {
        // A client that names no host, which HTTP/1.0 allows, is no browser.
        var host = context.Request.Host.Host;
        return host.Length == 0 || names.Contains(host) || IPAddress.TryParse(host, out _)
            ? next(context)
            : throw ApiException.UnknownHost(host);
    }
}
