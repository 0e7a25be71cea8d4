using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Weights;

namespace Weft.Convert.Tests;

/// <summary>Special tokens, recommended sampling and chat templates, from the files that may hold them.</summary>
[TestFixture]
public sealed class SettingsTests
{
    [Test]
    public void Tokens_come_from_the_config()
    {
        var generation = Header(new JsonObject { ["eos_token_id"] = 2, ["pad_token_id"] = -1 }).Generation;
        Assert.That(generation.BosToken, Is.EqualTo(1));
        Assert.That(generation.EosTokens, Is.EqualTo(new[] { 2 }));
        Assert.That(generation.PadToken, Is.Null, "-1 stands for none");
    }

    [Test]
    public void Several_tokens_may_end_a_text() =>
        Assert.That(Header(new JsonObject { ["eos_token_id"] = new JsonArray(2, 5, 7) }).Generation.EosTokens, Is.EqualTo(new[] { 2, 5, 7 }));

    [Test]
    public void The_generation_config_goes_before_the_config()
    {
        var generation = Header([], ("generation_config.json", "{\"bos_token_id\":3,\"eos_token_id\":[4,6],\"pad_token_id\":0}")).Generation;
        Assert.That((generation.BosToken, generation.PadToken), Is.EqualTo((3, 0)));
        Assert.That(generation.EosTokens, Is.EqualTo(new[] { 4, 6 }));
    }

    [Test]
    public void Sampling_is_recommended_only_where_it_is_switched_on([Values] bool samples)
    {
        var text = $"{{\"do_sample\":{(samples ? "true" : "false")},\"temperature\":0.5,\"top_p\":0.75,\"top_k\":20,\"repetition_penalty\":1.25}}";
        var generation = Header([], ("generation_config.json", text)).Generation;
        Assert.That(
            (generation.Temperature, generation.TopP, generation.TopK, generation.RepetitionPenalty),
            Is.EqualTo(samples ? ((float?)0.5f, (float?)0.75f, (int?)20, (float?)1.25f) : (null, null, null, 1.25f)));
    }

    [TestCase("{\"chat_template\":\"hello\"}", "hello")]
    [TestCase("{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"no\"},{\"name\":\"default\",\"template\":\"hello\"}]}", "hello")]
    [TestCase("{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"no\"}]}", null)]
    [TestCase("{\"chat_template\":null}", null)]
    [TestCase("{}", null)]
    public void A_chat_template_is_a_text_or_a_list(string text, string? template) =>
        Assert.That(Header([], ("tokenizer_config.json", text)).ChatTemplate, Is.EqualTo(template));

    [Test]
    public void A_chat_template_of_its_own_file_goes_first()
    {
        var header = Header([], ("tokenizer_config.json", "{\"chat_template\":\"old\"}"), ("chat_template.jinja", "{{ 'Grüße' }}\n"));
        Assert.That(header.ChatTemplate, Is.EqualTo("{{ 'Grüße' }}\n"));
        Assert.That(header.Provenance.Sources.Select(source => source.Name), Does.Contain("chat_template.jinja").And.Contain("tokenizer_config.json"));
    }

    [Test]
    public void A_checkpoint_without_tokenizer_converts() => Assert.That(Header([]).Tokenizer, Is.Null);

    private static WeftHeader Header(JsonObject config, params (string Name, string Text)[] files)
    {
        using var scratch = new ScratchFolder();
        var checkpoint = new TinyCheckpoint();
        foreach (var (name, value) in config)
            checkpoint.Config[name] = value?.DeepClone();
        checkpoint.Write(scratch["model"]);
        foreach (var (name, text) in files)
            File.WriteAllText(Path.Combine(scratch["model"], name), text);
        using var file = Conversion.Convert(scratch["model"]);
        return file.Header;
    }
}
