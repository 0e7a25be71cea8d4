using System.Text.Json;

namespace Weft.Load.Client;

/// <summary>What one event of an answer's stream says, as far as a measurement wants to know.</summary>
/// <param name="HasText">It carries text of the answer (or of the model's reasoning).</param>
/// <param name="IsDone">It is the mark of the end.</param>
/// <param name="FinishReason">Why the answer ended, when it says so.</param>
/// <param name="PromptTokens">Tokens of the prompt, when it says so.</param>
/// <param name="CompletionTokens">Tokens of the answer so far, when it says so.</param>
/// <param name="Error">The error that takes the place of the rest, if it is one.</param>
internal readonly record struct Chunk(
    bool HasText, bool IsDone, string? FinishReason, int? PromptTokens, int? CompletionTokens, string? Error)
{
    /// <summary>Reads an event's data in one pass, without a document: this runs once a token.</summary>
    /// <exception cref="JsonException">It is neither a JSON object nor the mark of the end.</exception>
    public static Chunk Parse(string eventType, ReadOnlySpan<byte> data)
    {
        if (data.SequenceEqual("[DONE]"u8))
            return new() { IsDone = true };
        var chunk = new Chunk();
        var reader = new Utf8JsonReader(data);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException("it is no object");
        while (NextProperty(ref reader))
        {
            if (reader.ValueTextEquals("choices"u8))
                chunk = ReadChoices(ref reader, chunk);
            else if (reader.ValueTextEquals("usage"u8))
                chunk = ReadUsage(ref reader, chunk);
            else if (reader.ValueTextEquals("error"u8))
                chunk = ReadError(ref reader, chunk);
            else
                reader.Skip();
        }

        return chunk;
    }

    private static Chunk ReadChoices(ref Utf8JsonReader reader, Chunk chunk)
    {
        if (!Enter(ref reader, JsonTokenType.StartArray))
            return chunk;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
                chunk = ReadChoice(ref reader, chunk);
            else
                reader.Skip();
        }

        return chunk;
    }

    private static Chunk ReadChoice(ref Utf8JsonReader reader, Chunk chunk)
    {
        while (NextProperty(ref reader))
        {
            if (reader.ValueTextEquals("text"u8))
                chunk = ReadText(ref reader, chunk);
            else if (reader.ValueTextEquals("delta"u8))
                chunk = ReadDelta(ref reader, chunk);
            else if (reader.ValueTextEquals("finish_reason"u8))
                chunk = Enter(ref reader, JsonTokenType.String) ? chunk with { FinishReason = reader.GetString() } : chunk;
            else
                reader.Skip();
        }

        return chunk;
    }

    private static Chunk ReadDelta(ref Utf8JsonReader reader, Chunk chunk)
    {
        if (!Enter(ref reader, JsonTokenType.StartObject))
            return chunk;
        while (NextProperty(ref reader))
        {
            // Servers name the reasoning of a model that thinks aloud in one of two ways; its tokens are generated like all others.
            if (reader.ValueTextEquals("content"u8) || reader.ValueTextEquals("reasoning_content"u8) || reader.ValueTextEquals("reasoning"u8))
                chunk = ReadText(ref reader, chunk);
            else
                reader.Skip();
        }

        return chunk;
    }

    private static Chunk ReadText(ref Utf8JsonReader reader, Chunk chunk) =>
        Enter(ref reader, JsonTokenType.String) && !reader.ValueSpan.IsEmpty ? chunk with { HasText = true } : chunk;

    private static Chunk ReadUsage(ref Utf8JsonReader reader, Chunk chunk)
    {
        if (!Enter(ref reader, JsonTokenType.StartObject))
            return chunk;
        while (NextProperty(ref reader))
        {
            if (reader.ValueTextEquals("prompt_tokens"u8))
                chunk = chunk with { PromptTokens = ReadCount(ref reader) };
            else if (reader.ValueTextEquals("completion_tokens"u8))
                chunk = chunk with { CompletionTokens = ReadCount(ref reader) };
            else
                reader.Skip();
        }

        return chunk;
    }

    private static int? ReadCount(ref Utf8JsonReader reader) =>
        Enter(ref reader, JsonTokenType.Number) && reader.TryGetInt32(out var count) ? count : null;

    private static Chunk ReadError(ref Utf8JsonReader reader, Chunk chunk)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null)
            return chunk;
        // Rare, so that a document costs nothing here.
        using var error = JsonDocument.ParseValue(ref reader);
        return chunk with { Error = ErrorMessage.Of(error.RootElement) };
    }

    /// <summary>Moves to the next name in an object; false at its end.</summary>
    private static bool NextProperty(ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.PropertyName;

    /// <summary>Moves to the value after a name; one of another kind is passed over.</summary>
    private static bool Enter(ref Utf8JsonReader reader, JsonTokenType kind)
    {
        reader.Read();
        if (reader.TokenType == kind)
            return true;
        reader.Skip();
        return false;
    }
}
