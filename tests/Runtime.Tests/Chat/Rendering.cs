using System.Text.Json;
using Weft.Chat;

namespace Weft.Runtime.Tests.Chat;

/// <summary>Renders small templates with the variables that the tests share.</summary>
internal static class Rendering
{
    // Written as JSON because that is how a conversation reaches a template.
    private const string Shared =
        """
        {
            "x": 5, "y": 2.5, "s": "Hello World", "l": [3, 1, 2], "d": {"a": 1, "b": [1, 2], "items": "I"}, "n": null, "t": true, "f": false,
            "e": "", "u": "naïve 🙂 ß", "big": 12345678901234567890123, "h": "<a href='x'>\"&\"</a>", "words": ["b", "A", "c", "a", "B"],
            "nested": {"k": {"z": [{"q": "deep"}]}},
            "ms": [
                {"role": "system", "content": "S", "n": 2}, {"role": "user", "content": "U", "n": 1},
                {"role": "assistant", "content": null, "n": 3}, {"role": "user", "content": "V", "n": 1}
            ]
        }
        """;

    /// <summary>No messages.</summary>
    public static JsonElement NoMessages { get; } = Parse("[]");

    /// <summary>The shared variables.</summary>
    public static IReadOnlyDictionary<string, JsonElement> Variables { get; } = Members(Parse(Shared));

    /// <summary>The time that templates are told.</summary>
    public static DateTime Now { get; } = new DateTime(2024, 7, 26, 13, 5, 9).AddMicroseconds(1234);

    /// <summary>What a template gives.</summary>
    public static string Render(string template) => Render(ChatTemplate.Parse(template));

    /// <summary>What a template gives.</summary>
    public static string Render(ChatTemplate template) =>
        template.Render(NoMessages, tools: null, addGenerationPrompt: false, Variables, Now);

    /// <summary>Why a template that can be read fails.</summary>
    public static ChatTemplateException Refusal(string template)
    {
        var parsed = ChatTemplate.Parse(template);
        return Assert.Throws<ChatTemplateException>(() => Render(parsed))!;
    }

    /// <summary>A JSON text.</summary>
    public static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    /// <summary>An object's members by name.</summary>
    public static Dictionary<string, JsonElement> Members(JsonElement value) =>
        value.EnumerateObject().ToDictionary(member => member.Name, member => member.Value);
}
