using System.Text.Json;

namespace Weft.Daemon.Requests;

/// <summary>The calls of tools that a message of the assistant has made.</summary>
internal static class ToolCalls
{
    /// <summary>The member of a message that holds them.</summary>
    public const string Field = "tool_calls";

    /// <summary>Whether a message has some.</summary>
    public static bool AreIn(JsonElement message) => message.ValueKind == JsonValueKind.Object && message.TryGetProperty(Field, out _);

    /// <summary>Writes them with their arguments as the values that the texts stand for.</summary>
    public static void Write(Utf8JsonWriter writer, JsonElement calls) => Write(writer, calls, isArguments: false);

    private static void Write(Utf8JsonWriter writer, JsonElement value, bool isArguments)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                    Write(writer, item, isArguments: false);
                writer.WriteEndArray();
                break;
            case JsonValueKind.Object when !isArguments:
                writer.WriteStartObject();
                foreach (var member in value.EnumerateObject())
                {
                    writer.WritePropertyName(member.Name);
                    if (member.Name is "function" or "arguments")
                        Write(writer, member.Value, member.Name == "arguments");
                    else
                        member.Value.WriteTo(writer);
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.String when isArguments && Parsed(value) is { } arguments:
                using (arguments)
                    arguments.RootElement.WriteTo(writer);
                break;
            default:
                value.WriteTo(writer);
                break;
        }
    }

    private static JsonDocument? Parsed(JsonElement text)
    {
        try
        {
            var document = JsonDocument.Parse(text.GetString()!);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return document;
            document.Dispose();
            return null;
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
