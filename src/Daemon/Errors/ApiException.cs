using Microsoft.AspNetCore.Http;

namespace Weft.Daemon.Errors;

/// <summary>An answer that is an error: its status and what OpenAI's error object says.</summary>
/// <param name="status">Status of the response.</param>
/// <param name="type">Kind of error, as OpenAI names it.</param>
/// <param name="code">What went wrong, for programs; null for nothing special.</param>
/// <param name="message">What went wrong, for people: one sentence.</param>
/// <param name="parameter">The request's parameter at fault, or null.</param>
internal sealed class ApiException(int status, string type, string? code, string message, string? parameter = null) : Exception(message)
{
    private const string Invalid = "invalid_request_error";

    public int Status { get; } = status;

    public string Type { get; } = type;

    public string? Code { get; } = code;

    public string? Parameter { get; } = parameter;

    /// <summary>Seconds after which another try makes sense; null to say nothing.</summary>
    public int? RetryAfter { get; private init; }

    public static ApiException BadRequest(string message, string? parameter = null, string? code = null) =>
        new(StatusCodes.Status400BadRequest, Invalid, code, message, parameter);

    public static ApiException Unauthorized(string message) =>
        new(StatusCodes.Status401Unauthorized, Invalid, "invalid_api_key", message);

    public static ApiException UnknownHost(string host) => new(
        StatusCodes.Status403Forbidden, Invalid, "host_not_allowed", $"The request is for the host '{host}', by which this server is not called; --allowed-host {host} lets it in.");

    public static ApiException NotFound(string message) => new(StatusCodes.Status404NotFound, Invalid, "not_found", message);

    public static ApiException WrongMethod(string method, string path, string? allowed) =>
        new(StatusCodes.Status405MethodNotAllowed, Invalid, "method_not_allowed", $"{path} does not take {method}, but {allowed}.");

    public static ApiException UnknownModel(string name) =>
        new(StatusCodes.Status404NotFound, Invalid, "model_not_found", $"The model '{name}' does not exist here; GET /v1/models lists those that do.", "model");

    public static ApiException TooLarge(long limit) =>
        new(StatusCodes.Status413PayloadTooLarge, Invalid, "request_too_large", $"The request's body is larger than {limit} bytes, which is the most that this server takes.");

    public static ApiException NotImplemented(string message, string? parameter = null) =>
        new(StatusCodes.Status501NotImplemented, "not_implemented_error", "not_implemented", message, parameter);

    public static ApiException Unavailable(string message) =>
        new(StatusCodes.Status503ServiceUnavailable, "service_unavailable_error", "unavailable", message) { RetryAfter = 1 };

    /// <summary>What a failure of the runtime means to the client.</summary>
    public static ApiException Of(Exception failure) => failure switch
    {
        ApiException known => known,
        OptionException option => BadRequest(Sentence(option.Message), option.Option, option.Message.Contains("context", StringComparison.Ordinal) ? "context_length_exceeded" : null),
        EngineException { Fault: EngineFault.QueueFull } => new(
            StatusCodes.Status429TooManyRequests, "rate_limit_error", "queue_full", Sentence(failure.Message)) { RetryAfter = 1 },
        EngineException { Fault: EngineFault.Closed } => Unavailable("The server is shutting down."),
        EngineException { Fault: EngineFault.Timeout } => new(StatusCodes.Status504GatewayTimeout, "timeout_error", "timeout", Sentence(failure.Message)),
        EngineException => new(StatusCodes.Status500InternalServerError, "server_error", "engine_failed", Sentence(failure.Message)),
        WeftException => BadRequest(Sentence(failure.Message)),
        _ when IsBrokenText(failure) => BadRequest("The request holds half of a surrogate pair, which is no text."),
        BadHttpRequestException bad => new(bad.StatusCode, Invalid, null, Sentence(bad.Message)),
        _ => new(StatusCodes.Status500InternalServerError, "server_error", "internal_error", "The server has made a mistake; its log says which."),
    };

    /// <summary>A string of the request's JSON holds half of a surrogate pair: it throws this wherever it is read.</summary>
    public static bool IsBrokenText(Exception failure) =>
        failure is InvalidOperationException { Source: { } source } && source.StartsWith("System.Text.Json", StringComparison.Ordinal);

    private static string Sentence(string message) =>
        message.Length == 0 ? message : char.ToUpperInvariant(message[0]) + message[1..] + (message[^1] is '.' or '!' ? "" : ".");
}
