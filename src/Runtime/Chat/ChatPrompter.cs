using System.Buffers;
using System.Text.Json;
using Weft.Models;
using Weft.Tokenizers;

namespace Weft.Chat;

/// <summary>Makes prompts of conversations: the template's text with the model's own special tokens in it.</summary>
public sealed class ChatPrompter
{
    private readonly ChatTemplate template;
    private readonly Tokenizer tokenizer;
    private readonly Dictionary<string, JsonElement> specialTokens = [];

    /// <summary>Takes a model's template.</summary>
    /// <param name="template">Writes the prompts.</param>
    /// <param name="tokenizer">Encodes them.</param>
    /// <param name="defaults">Special tokens.</param>
    public ChatPrompter(ChatTemplate template, Tokenizer tokenizer, GenerationDefaults defaults)
    {
        ArgumentNullException.ThrowIfNull(defaults);
        this.template = template;
        this.tokenizer = tokenizer;
        Add("bos_token", defaults.BosToken);
        Add("eos_token", defaults.EosTokens is [var eos, ..] ? eos : null);
        Add("pad_token", defaults.PadToken);
    }

    /// <summary>Writes the text of a conversation.</summary>
    /// <param name="messages">As OpenAI's API has them, contents as text.</param>
    /// <param name="addGenerationPrompt">Ends with what begins the assistant's answer.</param>
    /// <param name="variables">What else the template may ask for; one of a special token's name takes its place.</param>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    public string Render(JsonElement messages, bool addGenerationPrompt = true, IReadOnlyDictionary<string, JsonElement>? variables = null)
    {
        var all = new Dictionary<string, JsonElement>(specialTokens);
        foreach (var (name, value) in variables ?? new Dictionary<string, JsonElement>())
            all[name] = value;
        return template.Render(messages, null, addGenerationPrompt, all);
    }

    /// <summary>Writes the text of a conversation, ready for the assistant's answer.</summary>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    public string Render(IEnumerable<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartArray();
            foreach (var message in messages)
            {
                writer.WriteStartObject();
                writer.WriteString("role", message.Role);
                writer.WriteString("content", message.Content);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        using var document = JsonDocument.Parse(buffer.WrittenMemory);
        return Render(document.RootElement);
    }

    /// <summary>The token ids of a conversation, ready for the assistant's answer.</summary>
    /// <exception cref="ChatTemplateException">The template refuses the conversation.</exception>
    public int[] Encode(IEnumerable<ChatMessage> messages) => Encode(Render(messages));

    /// <summary>The token ids of a rendered prompt: a template brings its own special tokens.</summary>
    public int[] Encode(string prompt) => tokenizer.Encode(prompt, addSpecialTokens: false);

    private void Add(string name, int? token)
    {
        if (token is not { } id)
            return;
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
            writer.WriteStringValue(tokenizer.Piece(id));
        using var document = JsonDocument.Parse(buffer.WrittenMemory);
        specialTokens[name] = document.RootElement.Clone();
    }
}
