using System.Text.Json;
using Weft.Chat;
using Weft.Reference;

namespace Weft.Runtime.Tests.Chat;

/// <summary>Templates of published models on conversations of several kinds, against what transformers renders.</summary>
[TestFixture]
public sealed class ChatTemplateCaseTests
{
    [TestCase("GLM-4.6.jinja")]
    [TestCase("HuggingFaceTB-SmolLM3-3B.jinja")]
    [TestCase("NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use.jinja")]
    [TestCase("Qwen-Qwen2.5-7B-Instruct.jinja")]
    [TestCase("Qwen-Qwen3-0.6B.jinja")]
    [TestCase("alpaca.jinja")]
    [TestCase("chatglm2.jinja")]
    [TestCase("deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja")]
    [TestCase("google-gemma-2-2b-it.jinja")]
    [TestCase("llama-2-chat.jinja")]
    [TestCase("vicuna.jinja")]
    public void A_published_template_renders_as_transformers_renders_it(string name)
    {
        if (SharedData.TryFind("chat_templates") is not { } folder)
        {
            Assert.Ignore("the chat templates are not in the shared folder");
            return;
        }

        var template = ChatTemplate.Parse(File.ReadAllText(Path.Combine(folder, name)));
        using var cases = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "cases.json")));
        var own = cases.RootElement.EnumerateArray().Where(row => row.GetProperty("template").GetString() == name).ToList();
        Assert.That(own, Has.Count.EqualTo(16));
        foreach (var row in own)
        {
            var label = $"{row.GetProperty("case").GetString()}, add_generation_prompt={row.GetProperty("add_generation_prompt")}";
            if (row.TryGetProperty("rendered", out var rendered))
                Assert.That(Render(template, row), Is.EqualTo(rendered.GetString()), label);
            else
                AssertRefusal(template, row, label);
        }
    }

    // The recorded error is Python's type of it and its sentence.
    private static void AssertRefusal(ChatTemplate template, JsonElement row, string label)
    {
        var error = row.GetProperty("error").GetString()!.Split(": ", 2);
        var exception = Assert.Throws<ChatTemplateException>(() => Render(template, row), label);
        Assert.That(exception!.Reason, Is.EqualTo(error[1]), label);
        Assert.That(exception.Message, error[0] == "TemplateError"
            ? Is.EqualTo($"The chat template refuses the conversation: {error[1]}")
            : Does.Match("^The chat template fails in line [0-9]+: ").And.EndWith(error[1]), label);
    }

    private static string Render(ChatTemplate template, JsonElement row)
    {
        var tools = row.GetProperty("tools");
        return template.Render(
            row.GetProperty("messages"), tools.ValueKind == JsonValueKind.Null ? null : tools,
            row.GetProperty("add_generation_prompt").GetBoolean(), Rendering.Members(row.GetProperty("variables")));
    }
}
