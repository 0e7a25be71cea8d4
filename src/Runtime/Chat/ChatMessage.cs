namespace Weft.Chat;

/// <summary>One message of a conversation.</summary>
/// <param name="Role">Who speaks: <c>system</c>, <c>user</c> or <c>assistant</c>, and what else a template knows.</param>
/// <param name="Content">What is said.</param>
/// <param name="Reasoning">What was thought before it was said, which templates know as <c>reasoning_content</c>; null for nothing.</param>
public sealed record ChatMessage(string Role, string Content, string? Reasoning = null)
{
    /// <summary>Writes messages as OpenAI's API has them.</summary>
    public static void Write(System.Text.Json.Utf8JsonWriter writer, IEnumerable<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(messages);
        writer.WriteStartArray();
        foreach (var message in messages)
        {
            writer.WriteStartObject();
            writer.WriteString("role", message.Role);
            writer.WriteString("content", message.Content);
            if (message.Reasoning is { } reasoning)
                writer.WriteString("reasoning_content", reasoning);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
