using Microsoft.AspNetCore.Http;

namespace Weft.Daemon.Hosting;

/// <summary>Lets pages of other origins call the server (CORS), those that the options name.</summary>
internal sealed class CrossOrigin(RequestDelegate next, DaemonOptions options)
{
    /// <summary>Handles a request.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Request.Headers.Origin is not [{ Length: > 0 } origin] || !(options.CorsOrigins.Contains("*") || options.CorsOrigins.Contains(origin)))
            return next(context);
        var headers = context.Response.Headers;
        headers.AccessControlAllowOrigin = origin;
        headers.Vary = "Origin";
        headers.AccessControlExposeHeaders = "X-Request-Id";
        if (!HttpMethods.IsOptions(context.Request.Method) || context.Request.Headers.AccessControlRequestMethod.Count == 0)
            return next(context);
        headers.AccessControlAllowMethods = "GET, POST";
        headers.AccessControlAllowHeaders = context.Request.Headers.AccessControlRequestHeaders;
        headers.AccessControlMaxAge = "600";
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }
}
