using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Weft.Load.Client;

/// <summary>Speaks to an OpenAI-compatible server, over as many connections as there are requests in flight, or one for each request.</summary>
internal sealed class ServerClient : IDisposable
{
    private const int MostOfAnError = 16 * 1024;

    private readonly HttpClient http;
    private readonly TimeSpan timeout;

    public ServerClient(LoadOptions options)
    {
        timeout = options.Timeout;
        var handler = new SocketsHttpHandler
        {
            MaxConnectionsPerServer = int.MaxValue,
            // A connection that waits for the next arrival is not opened anew: that would be measured.
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(10),
            PooledConnectionLifetime = options.NewConnections ? TimeSpan.Zero : Timeout.InfiniteTimeSpan,
            // A proxy is for servers elsewhere.
            UseProxy = !options.Server.IsLoopback,
        };
        http = new HttpClient(handler) { BaseAddress = options.Server, Timeout = Timeout.InfiniteTimeSpan };
        if (options.ApiKey is { } key)
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>The first model that the server lists, or null.</summary>
    /// <exception cref="ServerFailureException">The server does not answer, or not with a list.</exception>
    public async Task<string?> FirstModelAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "v1/models");
        using var answer = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        return answer.RootElement.ValueKind == JsonValueKind.Object
            && answer.RootElement.TryGetProperty("data", out var models) && models.ValueKind == JsonValueKind.Array && models.GetArrayLength() > 0
            && models[0].ValueKind == JsonValueKind.Object && models[0].TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.String
            ? id.GetString()
            : null;
    }

    /// <summary>Tokens of a prompt as the server counts them; null when it does not.</summary>
    /// <exception cref="ServerFailureException">The server does not answer, or with an error.</exception>
    public async Task<int?> CountAsync(RequestTemplate template, string prompt, CancellationToken cancellationToken)
    {
        using var request = Post(template.Route, template.Counting(prompt));
        using var answer = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        return answer.RootElement.ValueKind == JsonValueKind.Object
            && answer.RootElement.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object
            && usage.TryGetProperty("prompt_tokens", out var count) && count.ValueKind == JsonValueKind.Number && count.TryGetInt32(out var tokens)
            ? tokens
            : null;
    }

    /// <summary>Sends one request and notes what comes back; failures are noted as well.</summary>
    public async Task StreamAsync(string route, ReadOnlyMemory<byte> body, RequestRecord record, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var request = Post(route, body);
        record.Start = Stopwatch.GetTimestamp();
        limit.CancelAfter(timeout);
        try
        {
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token).ConfigureAwait(false);
            await ThrowUnlessSuccessAsync(response, limit.Token).ConfigureAwait(false);
            if (response.Content.Headers.ContentType?.MediaType != "text/event-stream")
            {
                var type = response.Content.Headers.ContentType?.MediaType ?? "of no type";
                throw new ServerFailureException(new(Failure.Malformed, $"the server did not stream its answer, which is {type}"));
            }

            var stream = await response.Content.ReadAsStreamAsync(limit.Token).ConfigureAwait(false);
            await AnswerStream.ReadAsync(stream, record, limit).ConfigureAwait(false);
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            record.Unfinished = true;
        }
        catch (Exception failure) when (Explain(failure, limit.IsCancellationRequested) is { } reason)
        {
            record.Failure = reason;
            record.End = Stopwatch.GetTimestamp();
        }
    }

    public void Dispose() => http.Dispose();

    private static HttpRequestMessage Post(string route, ReadOnlyMemory<byte> body)
    {
        var content = new ReadOnlyMemoryContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return new(HttpMethod.Post, route) { Content = content };
    }

    private static async Task ThrowUnlessSuccessAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.IsSuccessStatusCode)
            return;
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        var buffer = new byte[MostOfAnError];
        var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        var message = ErrorMessage.Of(Encoding.UTF8.GetString(buffer, 0, length));
        throw new ServerFailureException(Failure.OfStatus(response.StatusCode, response.ReasonPhrase, message));
    }

    /// <summary>Sends a request that is not measured.</summary>
    private async Task<JsonDocument> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        try
        {
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token).ConfigureAwait(false);
            await ThrowUnlessSuccessAsync(response, limit.Token).ConfigureAwait(false);
            var stream = await response.Content.ReadAsStreamAsync(limit.Token).ConfigureAwait(false);
            return await JsonDocument.ParseAsync(stream, default, limit.Token).ConfigureAwait(false);
        }
        catch (Exception failure) when (!cancellationToken.IsCancellationRequested && Explain(failure, limit.IsCancellationRequested) is { } reason)
        {
            throw new ServerFailureException(reason);
        }
    }

    private Failure? Explain(Exception failure, bool late) => late && failure is not ServerFailureException
        ? new(Failure.Timeout, FormattableString.Invariant($"the answer was not complete after {timeout.TotalSeconds:0.###} s"))
        : Failure.Of(failure);
}
