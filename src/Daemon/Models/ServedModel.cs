using System.Text.Json;
using Weft.Chat;
using Weft.Daemon.Errors;
using Weft.Models;
using Weft.Tokenizers;

namespace Weft.Daemon.Models;

/// <summary>A model that answers requests: its engine and what makes prompts for it.</summary>
/// <param name="Name">By which requests name it.</param>
/// <param name="Engine">Serves it.</param>
/// <param name="Tokenizer">Its tokenizer; null when it has none, so that only token ids can be sent.</param>
/// <param name="Prompter">Its chat template; null when it has none.</param>
/// <param name="Defaults">Special tokens and what the checkpoint recommends.</param>
/// <param name="Facts">What it is, for those who ask.</param>
internal sealed record ServedModel(
    string Name, Engine Engine, Tokenizer? Tokenizer, ChatPrompter? Prompter, GenerationDefaults Defaults, ModelFacts Facts)
{
    /// <summary>When it was loaded, in seconds of Unix time.</summary>
    public long Created { get; } = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>The tokenizer.</summary>
    /// <exception cref="ApiException">There is none.</exception>
    public Tokenizer RequireTokenizer() => Tokenizer ?? throw ApiException.BadRequest(
        $"The model '{Name}' has no tokenizer: send the prompt as an array of token ids.", "prompt");

    /// <summary>Texts before which the answers of its chat template end.</summary>
    public IReadOnlyList<string> ChatStops => Prompter?.StopStrings ?? [];

    /// <summary>The token ids of a prompt that its chat template wrote.</summary>
    /// <exception cref="ApiException">There is no tokenizer.</exception>
    public int[] EncodeChat(string prompt) => Prompter?.Encode(prompt) ?? RequireTokenizer().Encode(prompt, addSpecialTokens: false);

    /// <summary>Makes a prompt of messages with the model's own template.</summary>
    /// <param name="messages">As OpenAI's API has them, parts of content joined already.</param>
    /// <param name="addGenerationPrompt">Ends with what begins the answer.</param>
    /// <param name="variables">What else the request gives to the template.</param>
    /// <exception cref="ApiException">There is no template, or it refuses the messages.</exception>
    public string ApplyTemplate(JsonElement messages, bool addGenerationPrompt, IReadOnlyDictionary<string, JsonElement> variables) =>
        ApplyTemplate(prompter => prompter.Render(messages, addGenerationPrompt, variables));

    /// <summary>Makes a prompt of messages that ends with what begins the answer.</summary>
    /// <exception cref="ApiException">There is no template, or it refuses the messages.</exception>
    public string ApplyTemplate(IEnumerable<ChatMessage> messages) => ApplyTemplate(prompter => prompter.Render(messages));

    private string ApplyTemplate(Func<ChatPrompter, string> render)
    {
        if (Prompter is null)
        {
            throw ApiException.BadRequest(
                $"The model '{Name}' has no chat template, so it cannot chat: send the prompt to /v1/completions, or give the server a template.",
                "messages",
                "no_chat_template");
        }

        try
        {
            return render(Prompter);
        }
        catch (ChatTemplateException exception)
        {
            throw ApiException.BadRequest(exception.Message.EndsWith('.') ? exception.Message : exception.Message + ".", "messages");
        }
    }
}
