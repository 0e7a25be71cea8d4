using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Weft.Chat;

namespace Weft.Cli.Chat;

/// <summary>What was said so far: turns of user and assistant, after the system's message if there is one.</summary>
internal sealed class Conversation
{
    private readonly List<ChatMessage> turns = [];

    /// <summary>What the model is told before everything; null for nothing.</summary>
    public string? System { get; set; }

    /// <summary>All messages, the system's first.</summary>
    public IReadOnlyList<ChatMessage> Messages => System is null ? turns : [new("system", System), .. turns];

    /// <summary>The model has said something already.</summary>
    public bool HasAnswers => turns.Exists(turn => turn.Role == "assistant");

    /// <summary>Adds what the user says.</summary>
    public void Ask(string text) => turns.Add(new("user", text));

    /// <summary>Adds what the model answers.</summary>
    public void Answer(string text, string reasoning) => turns.Add(new("assistant", text, reasoning.Length > 0 ? reasoning : null));

    /// <summary>Takes back what the user said last, which cannot be answered.</summary>
    public void Withdraw() => turns.RemoveAt(turns.Count - 1);

    /// <summary>Forgets all turns.</summary>
    public void Clear() => turns.Clear();

    /// <summary>Writes the messages into a file, as the field <c>messages</c> of OpenAI's API has them.</summary>
    /// <exception cref="WeftException">The file cannot be written.</exception>
    public void Save(string path)
    {
        using var json = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json, new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            ChatMessage.Write(writer, Messages);
        try
        {
            File.WriteAllText(path, Encoding.UTF8.GetString(json.ToArray()) + "\n", new UTF8Encoding(false));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new WeftException($"'{path}' cannot be written: {failure.Message}", failure);
        }
    }
}
