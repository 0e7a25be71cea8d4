using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Weft.Daemon.Json;

namespace Weft.Daemon.Streaming;

/// <summary>Server-sent events of one answer. The status is sent with the first of them, so that a failure before it can still be an error.</summary>
internal sealed class EventStream(HttpContext context) : IDisposable
{
    private readonly PipeWriter output = context.Response.BodyWriter;
    private Utf8JsonWriter? writer;

    /// <summary>The status has been sent.</summary>
    public bool HasStarted => writer is not null;

    /// <summary>Writes an event; it is sent with the next flush.</summary>
    public void Write<TState>(TState state, Action<Utf8JsonWriter, TState> write)
    {
        Start();
        Text("data: "u8);
        write(writer!, state);
        writer!.Flush();
        writer.Reset();
        Text("\n\n"u8);
    }

    /// <summary>Sends what was written. Before the first event that is nothing: a flush would send the head without the stream's headers.</summary>
    public async ValueTask FlushAsync()
    {
        if (HasStarted)
            await output.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>Sends a comment, which clients ignore: the connection lives.</summary>
    public ValueTask PingAsync()
    {
        Start();
        Text(": ping\n\n"u8);
        return FlushAsync();
    }

    /// <summary>Sends the last event.</summary>
    public ValueTask DoneAsync()
    {
        Start();
        Text("data: [DONE]\n\n"u8);
        return FlushAsync();
    }

    /// <inheritdoc/>
    public void Dispose() => writer?.Dispose();

    private void Start()
    {
        if (HasStarted)
            return;
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        context.Response.Headers.CacheControl = "no-cache";
        context.Response.Headers["X-Accel-Buffering"] = "no"; // proxies would collect events
        writer = new Utf8JsonWriter(output, JsonResponse.Options);
    }

    private void Text(ReadOnlySpan<byte> text)
    {
        text.CopyTo(output.GetSpan(text.Length));
        output.Advance(text.Length);
    }
}
