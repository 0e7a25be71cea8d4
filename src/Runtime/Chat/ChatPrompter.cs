using System.Buffers;
using System.Text.Json;
using Weft.Models;
using Weft.Tokenizers;
using Weft.Weights;

namespace Weft.Chat;

/// <summary>Makes prompts of conversations: the template's text with the model's own special tokens in it.</summary>
public sealed class ChatPrompter
{
    private const string ToolUse = "tool_use";

    private readonly Lazy<ChatTemplate> template;
    private readonly Lazy<ChatTemplate>? toolTemplate;
    private readonly Tokenizer tokenizer;
    private readonly bool addsSpecialTokens;
    private readonly Dictionary<string, JsonElement> specialTokens = [];

    /// <summary>Takes a model's template.</summary>
    /// <param name="template">Writes the prompts.</param>
    /// <param name="tokenizer">Encodes them.</param>
    /// <param name="defaults">Special tokens.</param>
    /// <param name="settings">What else the template needs; null for nothing.</param>
    public ChatPrompter(ChatTemplate template, Tokenizer tokenizer, GenerationDefaults defaults, ChatSettings? settings = null)
        : this(new Lazy<ChatTemplate>(template), tokenizer, defaults, settings)
    {
    }

    private ChatPrompter(Lazy<ChatTemplate> template, Tokenizer tokenizer, GenerationDefaults defaults, ChatSettings? settings)
    {
        ArgumentNullException.ThrowIfNull(defaults);
        this.template = template;
        this.tokenizer = tokenizer;
        toolTemplate = settings?.Templates?.GetValueOrDefault(ToolUse) is { } text ? Later(text) : null;
        addsSpecialTokens = settings?.SpecialTokens ?? false;
        StopStrings = settings?.StopStrings ?? [];
        Add("bos_token", defaults.BosToken);
        Add("eos_token", defaults.EosTokens is [var eos, ..] ? eos : null);
        Add("pad_token", defaults.PadToken);
    }

    /// <summary>Answers end before the first of these appears, whatever else a caller asks for.</summary>
    public IReadOnlyList<string> StopStrings { get; }

    /// <summary>Takes the template in a packed file's header; null when there is none. One that cannot be read fails when it is needed: the model completes texts without it.</summary>
    public static ChatPrompter? Of(WeftHeader header, Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(header);
        return header.ChatTemplate is { } text ? new(Later(text), tokenizer, header.Generation, header.Chat) : null;
    }

    /// <summary>Reads the template, for callers who do nothing but chat.</summary>
    /// <exception cref="ChatTemplateException">It cannot be read.</exception>
    public void RequireTemplate() => _ = template.Value;

    /// <summary>Writes the text of a conversation.</summary>
    /// <param name="messages">As OpenAI's API has them, contents as text.</param>
    /// <param name="addGenerationPrompt">Ends with what begins the assistant's answer.</param>
    /// <param name="variables">What else the template may ask for; one of a special token's name takes its place.</param>
    /// <param name="tools">The tools that the model may call, as JSON schemas; null for none. A model's template for tools is used for them, if it has one.</param>
    /// <exception cref="ChatTemplateException">The template refuses the conversation or cannot be read.</exception>
    public string Render(
        JsonElement messages, bool addGenerationPrompt = true, IReadOnlyDictionary<string, JsonElement>? variables = null, JsonElement? tools = null)
    {
        var all = new Dictionary<string, JsonElement>(specialTokens);
        foreach (var (name, value) in variables ?? new Dictionary<string, JsonElement>())
            all[name] = value;
        var hasTools = tools is not null || (all.TryGetValue("tools", out var given) && given.ValueKind == JsonValueKind.Array);
        return (hasTools ? toolTemplate ?? template : template).Value.Render(messages, tools, addGenerationPrompt, all);
    }

    /// <summary>Writes the text of a conversation, ready for the assistant's answer.</summary>
    /// <exception cref="ChatTemplateException">The template refuses the conversation or cannot be read.</exception>
    public string Render(IEnumerable<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
            ChatMessage.Write(writer, messages);
        using var document = JsonDocument.Parse(buffer.WrittenMemory);
        return Render(document.RootElement);
    }

    /// <summary>The token ids of a conversation, ready for the assistant's answer.</summary>
    /// <exception cref="ChatTemplateException">The template refuses the conversation or cannot be read.</exception>
    public int[] Encode(IEnumerable<ChatMessage> messages) => Encode(Render(messages));

    /// <summary>The token ids of a rendered prompt. Most templates bring their own special tokens.</summary>
    public int[] Encode(string prompt) => tokenizer.Encode(prompt, addsSpecialTokens);

    private static Lazy<ChatTemplate> Later(string text) => new(() =>
    {
        try
        {
            return ChatTemplate.Parse(text);
        }
        catch (WeftException failure)
        {
            throw new ChatTemplateException(failure.Message, failure);
        }
    });

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
