using System.Buffers;
using System.Text.Json;
using Weft.Load.Workload;

namespace Weft.Load.Client;

/// <summary>What all requests of a load test have in common.</summary>
/// <param name="Model">The model's name on the server.</param>
/// <param name="Endpoint">The route.</param>
/// <param name="Temperature">Sampling temperature.</param>
/// <param name="IgnoreEndOfSequence">Sends <c>ignore_eos</c>.</param>
internal sealed record RequestTemplate(string Model, LoadEndpoint Endpoint, double Temperature, bool IgnoreEndOfSequence)
{
    /// <summary>The route, relative to the server's address.</summary>
    public string Route => Endpoint == LoadEndpoint.Chat ? "v1/chat/completions" : "v1/completions";

    /// <summary>The body of a request whose answer comes as a stream.</summary>
    public ReadOnlyMemory<byte> Streaming(PlannedRequest request) => Body(request.Prompt, request.MaxTokens, stream: true);

    /// <summary>The body of a request for one token, whose answer says how long the prompt was.</summary>
    public ReadOnlyMemory<byte> Counting(string prompt) => Body(prompt, maxTokens: 1, stream: false);

    private ReadOnlyMemory<byte> Body(string prompt, int maxTokens, bool stream)
    {
        var buffer = new ArrayBufferWriter<byte>(prompt.Length + 256);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteString("model"u8, Model);
        if (Endpoint == LoadEndpoint.Chat)
        {
            json.WriteStartArray("messages"u8);
            json.WriteStartObject();
            json.WriteString("role"u8, "user"u8);
            json.WriteString("content"u8, prompt);
            json.WriteEndObject();
            json.WriteEndArray();
        }
        else
        {
            json.WriteString("prompt"u8, prompt);
        }

        json.WriteNumber("max_tokens"u8, maxTokens);
        json.WriteNumber("temperature"u8, Temperature);
        if (IgnoreEndOfSequence)
            json.WriteBoolean("ignore_eos"u8, true);
        json.WriteBoolean("stream"u8, stream);
        if (stream)
        {
            json.WriteStartObject("stream_options"u8);
            json.WriteBoolean("include_usage"u8, true);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }
}
