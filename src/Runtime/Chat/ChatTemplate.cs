using System.Text.Json;
using Weft.Chat.Jinja;

namespace Weft.Chat;

/// <summary>
/// A chat template in Jinja, as checkpoints on Hugging Face carry it: it writes the messages of a conversation as the text that a model
/// was trained on. The output is what transformers' <c>apply_chat_template</c> gives, byte for byte. A template runs in a sandbox that
/// bounds its time, memory and depth, whatever it holds. Thread-safe.
/// </summary>
public sealed class ChatTemplate
{
    private readonly Template template;
    private readonly RenderLimits limits;

    private ChatTemplate(Template template, RenderLimits limits)
    {
        this.template = template;
        this.limits = limits;
    }

    /// <summary>Reads a template.</summary>
    /// <param name="source">The template, at most 2^20 characters.</param>
    /// <exception cref="WeftException">It cannot be read; the message says in which line and why.</exception>
    public static ChatTemplate Parse(string source) => Parse(source, new());

    /// <summary>Writes a conversation.</summary>
    /// <param name="messages">The messages: an array of objects with a role and a content, and whatever else the template asks for.</param>
    /// <param name="tools">The tools that the model may call, as JSON schemas; null for none.</param>
    /// <param name="addGenerationPrompt">Whether the text ends with the beginning of the assistant's answer.</param>
    /// <param name="variables">Further variables, such as bos_token; one with the name of a variable above takes its place.</param>
    /// <param name="now">The local time that the template is told; null for the clock's.</param>
    /// <exception cref="ChatTemplateException">The template refuses the conversation, fails on it, or takes too much time or memory.</exception>
    public string Render(
        JsonElement messages, JsonElement? tools, bool addGenerationPrompt, IReadOnlyDictionary<string, JsonElement> variables, DateTime? now = null)
    {
        ArgumentNullException.ThrowIfNull(variables);
        var state = new RenderState(limits, now ?? DateTime.Now);
        try
        {
            state.Variables["messages"] = JsonValues.Read(messages, state);
            state.Variables["tools"] = tools is { } given ? JsonValues.Read(given, state) : NoneValue.Instance;
            state.Variables["documents"] = NoneValue.Instance;
            state.Variables["add_generation_prompt"] = BoolValue.Of(addGenerationPrompt);
            foreach (var (name, value) in variables)
                state.Variables[name] = JsonValues.Read(value, state);
            template.Body.Run(new Scope(state, null, template.Table));
            return state.Output.ToString();
        }
        catch (TemplateFailure failure)
        {
            var message = failure.IsRefusal ? $"The chat template refuses the conversation: {failure.Message}"
                : state.Line > 0 ? $"The chat template fails in line {state.Line}: {failure.Message}"
                : $"The chat template cannot be given the conversation: {failure.Message}";
            throw new ChatTemplateException(message, failure.Message);
        }
    }

    /// <summary>Reads a template that is rendered within other limits.</summary>
    internal static ChatTemplate Parse(string source, RenderLimits limits)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new(TemplateParser.Parse(source), limits);
    }
}
