using System.Globalization;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;

namespace Weft.Daemon.Hosting;

/// <summary>The time that a client gives its request: <c>X-Request-Timeout: SECONDS</c>.</summary>
internal static class RequestTimeout
{
    private const string Header = "X-Request-Timeout";
    private const double Most = 1e6;

    /// <summary>Reads it; null when the request has none.</summary>
    /// <exception cref="ApiException">It is no number of seconds.</exception>
    public static TimeSpan? Read(HttpContext context)
    {
        if (context.Request.Headers[Header] is not [{ Length: > 0 } text])
            return null;
        return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds is > 0 and < Most
            ? TimeSpan.FromSeconds(seconds)
            : throw ApiException.BadRequest($"The header {Header} is '{text}', but must be a number of seconds.");
    }
}
