using System.Buffers;
using System.Text.Json;
using Weft.Daemon.Errors;
using Weft.Daemon.Json;
using Weft.Daemon.Models;

namespace Weft.Daemon.Requests;

/// <summary>Makes a prompt of a request's messages.</summary>
internal static class ChatMessages
{
    /// <summary>Checks the messages, joins parts of text, and lets the model's template write the prompt.</summary>
    /// <exception cref="ApiException">A message is not as it must be, or the template refuses them.</exception>
    public static string Render(Fields fields, ServedModel model)
    {
        var messages = fields.Array("messages") ?? throw ApiException.BadRequest("'messages' is missing.", "messages");
        if (messages.Count == 0)
            throw ApiException.BadRequest("'messages' is empty; it must have at least one message.", "messages");
        var variables = new Dictionary<string, JsonElement>();
        foreach (var (name, value, _) in fields.Object("chat_template_kwargs")?.All() ?? [])
            variables[name] = value;
        if (fields.Array("tools") is { Count: > 0 })
            variables.TryAdd("tools", fields.Any("tools")!.Value);
        var generates = fields.Flag("add_generation_prompt") ?? true;
        string Apply(bool readsArguments)
        {
            using var normalized = Normalize(messages, readsArguments);
            return model.ApplyTemplate(normalized.RootElement, generates, variables);
        }

        if (!messages.Any(message => ToolCalls.AreIn(message.Value)))
            return Apply(readsArguments: false);
        try
        {
            // OpenAI's API has the arguments of a call as text, transformers as an object, which most templates write as JSON.
            return Apply(readsArguments: true);
        }
        catch (ApiException)
        {
            return Apply(readsArguments: false); // some put the text together themselves
        }
    }

    private static JsonDocument Normalize(IReadOnlyList<(JsonElement Value, string Name)> messages, bool readsArguments)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartArray();
            foreach (var (message, name) in messages)
                Write(writer, new Fields(message, name + "."), name, readsArguments);
            writer.WriteEndArray();
        }

        return JsonDocument.Parse(buffer.WrittenMemory);
    }

    private static void Write(Utf8JsonWriter writer, Fields message, string name, bool readsArguments)
    {
        if (message.Text("role") is not { Length: > 0 } role)
            throw ApiException.BadRequest($"'{name}.role' is missing.", $"{name}.role");
        writer.WriteStartObject();
        writer.WriteString("role", role);
        if (message.Array("images") is { Count: > 0 })
            throw ApiException.BadRequest($"'{name}' has images, but this model reads text only.", $"{name}.images");
        writer.WriteString("content", message.Any("content") switch
        {
            null when role == "assistant" => "",
            null => throw ApiException.BadRequest($"'{name}.content' is missing.", $"{name}.content"),
            { ValueKind: JsonValueKind.Array } => string.Concat(message.Array("content")!.Select(part => Part(new Fields(part.Value, part.Name + "."), part.Name))),
            { } value => Fields.Text(value, $"{name}.content"),
        });
        // Names, calls of tools and whatever else a template may look for pass through.
        foreach (var (field, value, _) in message.All())
        {
            if (field is "role" or "content")
                continue;
            writer.WritePropertyName(field);
            if (readsArguments && field == ToolCalls.Field)
                ToolCalls.Write(writer, value);
            else
                value.WriteTo(writer);
        }

        writer.WriteEndObject();
    }

    private static string Part(Fields part, string name) => part.Text("type") switch
    {
        "text" or "input_text" => part.Text("text") ?? throw ApiException.BadRequest($"'{name}.text' is missing.", $"{name}.text"),
        null => throw ApiException.BadRequest($"'{name}.type' is missing.", $"{name}.type"),
        var type => throw ApiException.BadRequest($"'{name}' is of type '{type}', but this model reads text only.", name),
    };
}
