using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Errors;

namespace Weft.Daemon.Json;

/// <summary>Reads a request's body.</summary>
internal static class Body
{
    /// <summary>Parses the body, whatever its declared type: clients often declare none.</summary>
    /// <exception cref="ApiException">It is not JSON, or too large.</exception>
    public static async Task<JsonDocument> ReadAsync(HttpContext context)
    {
        try
        {
            return await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted).ConfigureAwait(false);
        }
        catch (JsonException exception)
        {
            throw ApiException.BadRequest(
                $"The request's body is not JSON: line {exception.LineNumber + 1}, byte {exception.BytePositionInLine} of it cannot be read.");
        }
        catch (BadHttpRequestException exception) when (exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            throw ApiException.TooLarge(context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize ?? 0);
        }
    }
}
