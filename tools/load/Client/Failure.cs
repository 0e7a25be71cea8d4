using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Weft.Load.Client;

/// <summary>Why a request failed.</summary>
/// <param name="Kind">What failures are counted by: <c>connection</c>, <c>http_429</c> …</param>
/// <param name="Sentence">What the server or the network said of this one.</param>
internal sealed record Failure(string Kind, string Sentence)
{
    /// <summary>No connection came about.</summary>
    public const string Connection = "connection";

    /// <summary>The connection ended before the answer did.</summary>
    public const string Disconnected = "disconnected";

    /// <summary>The answer took longer than a request may.</summary>
    public const string Timeout = "timeout";

    /// <summary>The stream brought an error instead of the rest of the answer.</summary>
    public const string ErrorEvent = "error_event";

    /// <summary>The answer is no stream of chunks.</summary>
    public const string Malformed = "malformed";

    /// <summary>The answer ended properly and held no text.</summary>
    public const string Empty = "empty";

    /// <summary>The server answered with a status that is no success.</summary>
    public static Failure OfStatus(HttpStatusCode status, string? reason, string? message)
    {
        var line = FormattableString.Invariant($"the server answered {(int)status} {reason}").TrimEnd();
        return new(FormattableString.Invariant($"http_{(int)status}"), string.IsNullOrEmpty(message) ? line : $"{line}: {message}");
    }

    /// <summary>The failure behind an exception of the client or of the stream's reader; null when it is none of theirs.</summary>
    public static Failure? Of(Exception exception) => exception switch
    {
        ServerFailureException server => server.Failure,
        JsonException => new(Malformed, $"the server sent something that is no JSON object: {exception.Message}"),
        HttpRequestException { HttpRequestError: HttpRequestError.ResponseEnded } => new(Disconnected, "the server closed the connection before it answered"),
        HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse } => new(Malformed, "the server's answer is not HTTP"),
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } =>
            new(Connection, $"no secure connection to the server came about: {Innermost(exception)}"),
        // A reset in the middle of an exchange arrives as a request error as well; only its cause tells it from a refused connection.
        HttpRequestException { InnerException: IOException } => new(Disconnected, $"the connection broke: {Innermost(exception)}"),
        HttpRequestException => new(Connection, $"the server cannot be reached: {exception.Message}"),
        IOException => new(Disconnected, $"the connection broke: {Innermost(exception)}"),
        _ => null,
    };

    private static string Innermost(Exception exception)
    {
        while (exception is not SocketException && exception.InnerException is { } inner)
            exception = inner;
        return exception.Message;
    }
}

/// <summary>A request failed for a reason that is already put in words.</summary>
internal sealed class ServerFailureException(Failure failure) : Exception(failure.Sentence)
{
    /// <summary>The reason.</summary>
    public Failure Failure { get; } = failure;
}
