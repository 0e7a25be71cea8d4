using System.Text.Json;
using System.Text.Json.Nodes;
using Weft.Chat;
using Weft.Convert.Families;
using Weft.Convert.Tests.Support;
using Weft.Reference;
using Weft.Tokenizers;
using Weft.Weights;

namespace Weft.Convert.Tests.Families;

/// <summary>Formats of prompts that models of 2023 ship without: their text, and which checkpoints get one unasked.</summary>
[TestFixture]
public sealed class ChatFormatTests
{
    private const string Alpaca = "Below is an instruction that describes a task. Write a response that appropriately completes the request.";
    private const string Human = "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the human's questions.";
    private const string User = "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions.";

    [TestCase("llama-2", "<s>[INST] Hi [/INST] Hello </s><s>[INST] Bye [/INST]")]
    [TestCase("alpaca", Alpaca + "\n\n### Instruction:\nHi\n\n### Response:Hello</s>\n\n### Instruction:\nBye\n\n### Response:")]
    [TestCase("vicuna", User + " USER: Hi ASSISTANT: Hello</s>USER: Bye ASSISTANT:")]
    [TestCase("koala", "BEGINNING OF CONVERSATION: USER: Hi GPT: Hello</s>USER: Bye GPT:")]
    [TestCase("wizardlm-1.0", "Hi\n\n### Response:Hello</s>Bye\n\n### Response:")]
    [TestCase("belle", "Human: Hi \n\nAssistant: Hello\nHuman: Bye \n\nAssistant:")]
    [TestCase("openbuddy", "User: Hi\nAssistant: Hello\nUser: Bye\nAssistant:")]
    [TestCase("xgen", Human + "\n\n### Human: Hi\n### Assistant: Hello\n### Human: Bye\n### Assistant:")]
    [TestCase("phind", "### System Prompt\nYou are an intelligent programming assistant.\n\n### User Message\nHi\n\n### Assistant\nHello\n\n### User Message\nBye\n\n### Assistant\n")]
    [TestCase("qwen", "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n")]
    [TestCase("mpt-instruct", Alpaca + "\n### Instruction:\nHi\n### Response:\nHello\n### Instruction:\nBye\n### Response:\n")]
    [TestCase("baichuan", "<reserved_102>Hi<reserved_103>Hello<reserved_102>Bye<reserved_103>")]
    [TestCase("baichuan-2", "<reserved_106>Hi<reserved_107>Hello<reserved_106>Bye<reserved_107>")]
    [TestCase("internlm", "<s><|User|>:Hi<eoh>\n<|Bot|>:Hello<eoa>\n<|User|>:Bye<eoh>\n<|Bot|>:")]
    [TestCase("dolly-1", Alpaca + "\n\n### Instruction:\nHi\n\n### Response:\nHello\n\n### Instruction:\nBye\n\n### Response:\n")]
    [TestCase("dolly-2", Alpaca + "\n\n### Instruction:\nHi\n\n### Response:\nHello\n\n### End\n\n### Instruction:\nBye\n\n### Response:\n")]
    [TestCase("open-assistant", "<|prompter|>Hi<|endoftext|><|assistant|>Hello<|endoftext|><|prompter|>Bye<|endoftext|><|assistant|>")]
    [TestCase("redpajama", "<human>: Hi\n<bot>: Hello\n<human>: Bye\n<bot>:")]
    [TestCase("falcon", "User: Hi\nFalcon: Hello\nUser: Bye\nFalcon:")]
    [TestCase("falcon-instruct", "User: Hi\n\nAssistant: Hello\n\nUser: Bye\n\nAssistant:")]
    [TestCase("starchat", "<|system|>\n<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>\nHello<|end|>\n<|user|>\nBye<|end|>\n<|assistant|>")]
    [TestCase("persimmon", "human: Hi\n\nadept: Hello\n\nhuman: Bye\n\nadept:")]
    [TestCase("rwkv", "User: Hi\n\nAssistant: Hello\n\nUser: Bye\n\nAssistant:")]
    [TestCase("chatglm", "[Round 0]\n问：Hi\n答：Hello\n[Round 1]\n问：Bye\n答：")]
    [TestCase("chatglm-2", "[Round 1]\n\n问：Hi\n\n答：Hello\n\n[Round 2]\n\n问：Bye\n\n答：")]
    [TestCase("chatglm-3", "<|user|>\n Hi<|assistant|>\n Hello<|user|>\n Bye<|assistant|>")]
    [TestCase("phi-2", "Instruct: Hi\nOutput: Hello\nInstruct: Bye\nOutput:")]
    public void A_conversation_is_written_as_the_release_writes_it(string name, string expected) =>
        Assert.That(Render(name, ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye")), Is.EqualTo(expected));

    [TestCase("llama-2", "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST]")]
    [TestCase("vicuna", "Be brief. USER: Hi ASSISTANT:")]
    [TestCase("openbuddy", "Be brief.\n\nUser: Hi\nAssistant:")]
    [TestCase("xgen", "Be brief.\n\n### Human: Hi\n### Assistant:")]
    [TestCase("phind", "### System Prompt\nBe brief.\n\n### User Message\nHi\n\n### Assistant\n")]
    [TestCase("qwen", "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")]
    [TestCase("mpt-chat", "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")]
    [TestCase("baichuan-2", "Be brief.<reserved_106>Hi<reserved_107>")]
    [TestCase("internlm", "<|System|>:Be brief.\n<s><|User|>:Hi<eoh>\n<|Bot|>:")]
    [TestCase("open-assistant", "<|system|>Be brief.<|endoftext|><|prompter|>Hi<|endoftext|><|assistant|>")]
    [TestCase("stablelm-tuned", "<|SYSTEM|>Be brief.<|USER|>Hi<|ASSISTANT|>")]
    [TestCase("falcon", "System: Be brief.\nUser: Hi\nFalcon:")]
    [TestCase("starchat", "<|system|>\nBe brief.<|end|>\n<|user|>\nHi<|end|>\n<|assistant|>")]
    [TestCase("alpaca", "Be brief.\n\n### Instruction:\nHi\n\n### Response:")]
    [TestCase("mpt-instruct", "Be brief.\n### Instruction:\nHi\n### Response:\n")]
    [TestCase("dolly-1", "Be brief.\n\n### Instruction:\nHi\n\n### Response:\n")]
    [TestCase("dolly-2", "Be brief.\n\n### Instruction:\nHi\n\n### Response:\n")]
    [TestCase("redpajama", "Be brief.\n<human>: Hi\n<bot>:")]
    [TestCase("chatglm-3", "<|system|>\n Be brief.<|user|>\n Hi<|assistant|>")]
    public void A_system_message_has_its_place(string name, string expected) =>
        Assert.That(Render(name, ("system", "Be brief."), ("user", "Hi")), Is.EqualTo(expected));

    [TestCase("belle")]
    [TestCase("koala")]
    [TestCase("wizardlm-1.0")]
    [TestCase("chatglm")]
    [TestCase("chatglm-2")]
    [TestCase("phi-2")]
    [TestCase("persimmon")]
    public void A_format_without_a_place_for_system_messages_refuses_them(string name) => Assert.That(
        () => Render(name, ("system", "Be brief."), ("user", "Hi")),
        Throws.TypeOf<ChatTemplateException>().With.Property("Reason").EqualTo($"the format '{name}' has no place for messages of the role 'system'"));

    [Test]
    public void No_format_leaves_a_message_out_in_silence()
    {
        foreach (var format in FamilyCatalog.ChatFormats)
        {
            Shows(format.Name, ("system", "Be brief."), ("user", "Hi"));
            Shows(format.Name, ("user", "Hi"), ("system", "Be brief."), ("user", "Bye"));
            Shows(format.Name, ("user", "Hi"), ("assistant", "Hello"), ("tool", "42"));
        }

        static void Shows(string name, params (string Role, string Content)[] messages)
        {
            try
            {
                var text = Render(name, messages);
                foreach (var (_, content) in messages)
                    Assert.That(text, Does.Contain(content), name);
            }
            catch (ChatTemplateException refusal)
            {
                Assert.That(refusal.Message, Does.StartWith("The chat template refuses the conversation: "), name);
            }
        }
    }

    [Test]
    public void A_released_system_message_keeps_its_lines()
    {
        Assert.That(Render("stablelm-tuned", ("user", "Hi")), Does.StartWith("<|SYSTEM|># StableLM Tuned (Alpha version)\n- StableLM is").And.EndWith("harm a human.\n<|USER|>Hi<|ASSISTANT|>"));
        Assert.That(Render("mpt-chat", ("user", "Hi")), Does.StartWith("<|im_start|>system\n- You are a helpful assistant chatbot trained by MosaicML.\n- You answer questions.\n")
            .And.Contain("make jokes.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"));
    }

    /// <summary>What the reference for these templates refuses, and how it writes white space, holds for our own text of them.</summary>
    [Test]
    public void Llama_2_is_the_published_template_on_every_case()
    {
        if (SharedData.TryFind("chat_templates/cases.json") is not { } path)
        {
            Assert.Ignore("the chat templates are not in the shared folder");
            return;
        }

        using var cases = JsonDocument.Parse(File.ReadAllText(path));
        var own = cases.RootElement.EnumerateArray().Where(row => row.GetProperty("template").GetString() == "llama-2-chat.jinja").ToList();
        Assert.That(own, Is.Not.Empty);
        foreach (var row in own)
        {
            string Rendered() => Template("llama-2").Render(
                row.GetProperty("messages"), null, row.GetProperty("add_generation_prompt").GetBoolean(),
                row.GetProperty("variables").EnumerateObject().ToDictionary(member => member.Name, member => member.Value));
            if (row.TryGetProperty("rendered", out var rendered))
                Assert.That(Rendered(), Is.EqualTo(rendered.GetString()), row.GetProperty("case").GetString());
            else
                Assert.That(Rendered, Throws.TypeOf<ChatTemplateException>(), row.GetProperty("case").GetString());
        }
    }

    [Test]
    public void Every_format_has_a_name_of_its_own_and_renders()
    {
        Assert.That(FamilyCatalog.All.SelectMany(family => family.ChatFormats).Distinct().GroupBy(format => format.Name).Select(group => group.Count()), Is.All.EqualTo(1));
        foreach (var format in FamilyCatalog.ChatFormats)
            Assert.That(Render(format.Name, ("user", "Hi")), Does.Contain("Hi"), format.Name);
    }

    [TestCase("QWenLMHeadModel", "{\"chat_format\":\"chatml\"}", "", "qwen")]
    [TestCase("QWenLMHeadModel", "{\"chat_format\":\"raw\"}", "", null)]
    [TestCase("BaichuanForCausalLM", "{\"user_token_id\":195,\"assistant_token_id\":196}", "", "baichuan")]
    [TestCase("BaichuanForCausalLM", "{}", "", null)]
    [TestCase("GPTNeoXForCausalLM", "{}", "### End", "dolly-2")]
    [TestCase("GPTNeoXForCausalLM", "{}", "<|prompter|>,<|assistant|>", "open-assistant")]
    [TestCase("GPTNeoXForCausalLM", "{}", "", null)]
    [TestCase("MPTForCausalLM", "{}", "<|im_start|>,<|im_end|>", "mpt-chat")]
    [TestCase("GPTBigCodeForCausalLM", "{}", "<|user|>,<|assistant|>,<|end|>", "starchat")]
    [TestCase("LlamaForCausalLM", "{}", "<|im_start|>,<|im_end|>", null)]
    public void A_checkpoint_gets_a_format_only_where_its_files_say_so(string architecture, string generation, string tokens, string? expected)
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch["config.json"], $"{{\"architectures\":[\"{architecture}\"],\"vocab_size\":64000}}");
        File.WriteAllText(scratch["generation_config.json"], generation);
        var evidence = new ChatEvidence(ConfigFile.Open(scratch["config.json"]), ConfigFile.Open(scratch["generation_config.json"]), tokens.Split(',').Contains);
        Assert.That(FamilyCatalog.Find(evidence.Config).Family.ChatFormats.FirstOrDefault(format => format.IsCertain?.Invoke(evidence) ?? false)?.Name, Is.EqualTo(expected));
    }

    [Test]
    public void A_format_is_chosen_by_name_with_what_ends_its_answers()
    {
        var header = Convert("qwen", tokens: ["<|im_start|>", "<|im_end|>"]);
        Assert.That(header.ChatTemplate, Does.Contain("<|im_start|>"));
        Assert.That(header.Chat!.SpecialTokens, Is.True);
        Assert.That(header.Generation.EosTokens, Is.EqualTo(new[] { 2, 2049, 2048 }), "the checkpoint's, then <|im_end|> and <|im_start|>");
        Assert.That(Convert("openbuddy").Chat!.StopStrings, Is.EqualTo(new[] { "\nUser:" }));
    }

    [Test]
    public void A_checkpoints_own_template_may_be_chosen_by_name_and_left_out()
    {
        const string Own = "{\"chat_template\":[{\"name\":\"default\",\"template\":\"d\"},{\"name\":\"tool_use\",\"template\":\"t\"},{\"name\":\"rag\",\"template\":\"r\"}]}";
        var unasked = Convert(null, Own);
        Assert.That((unasked.ChatTemplate, unasked.Chat!.Templates!["tool_use"], unasked.Chat.Templates["rag"]), Is.EqualTo(("d", "t", "r")));
        Assert.That(Convert("rag", Own).ChatTemplate, Is.EqualTo("r"));
        Assert.That(Convert("none", Own).ChatTemplate, Is.Null);
    }

    [Test]
    public void A_file_may_be_chosen()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch["own.jinja"], "{{ messages|length }}");
        Assert.That(Convert(scratch["own.jinja"]).ChatTemplate, Is.EqualTo("{{ messages|length }}"));
        File.WriteAllText(scratch["bad.jinja"], "{{ 1 +");
        Assert.That(Conversion.Sentence(() => Convert(scratch["bad.jinja"])), Does.Contain("bad.jinja: Line 1"));
        Assert.That(Conversion.Sentence(() => Convert("vicunna")), Does.Contain("'vicunna'").And.Contain(" vicuna,"));
    }

    [Test]
    public void A_template_for_tools_writes_the_prompts_that_have_them()
    {
        const string Own = "{\"chat_template\":[{\"name\":\"default\",\"template\":\"d\"},{\"name\":\"tool_use\",\"template\":\"t{{ tools|length }}\"}]}";
        var prompter = Prompter(Convert(null, Own));
        using var messages = JsonDocument.Parse("[]");
        using var tools = JsonDocument.Parse("[{\"type\":\"function\"}]");
        Assert.That(prompter.Render(messages.RootElement), Is.EqualTo("d"));
        Assert.That(prompter.Render(messages.RootElement, tools: tools.RootElement), Is.EqualTo("t1"));
        Assert.That(prompter.Render(messages.RootElement, variables: new Dictionary<string, JsonElement> { ["tools"] = tools.RootElement }), Is.EqualTo("t1"));
    }

    [Test]
    public void Tool_calls_their_results_and_thoughts_reach_the_template()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch["own.jinja"], "{% for m in messages %}{{ m.role }}:{{ m.reasoning_content }}:{{ m.tool_calls[0].function.name if m.tool_calls }}:{{ m.content }};{% endfor %}");
        var prompter = Prompter(Convert(scratch["own.jinja"]));
        using var messages = JsonDocument.Parse("""
            [{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]},{"role":"tool","content":"42","tool_call_id":"1"}]
            """);
        Assert.That(prompter.Render(messages.RootElement), Is.EqualTo("assistant::f:;tool:::42;"));
        Assert.That(prompter.Render([new ChatMessage("assistant", "a", "why")]), Is.EqualTo("assistant:why::a;"));
    }

    [Test]
    public void A_format_whose_release_left_them_to_the_tokenizer_gets_its_special_tokens()
    {
        var header = Convert("vicuna");
        var tokenizer = Tokenizer.Create(header.Tokenizer!);
        Assert.That(tokenizer.Encode("Hi", addSpecialTokens: true), Is.Not.EqualTo(tokenizer.Encode("Hi", addSpecialTokens: false)));
        Assert.That(Prompter(header).Encode("Hi"), Is.EqualTo(tokenizer.Encode("Hi", addSpecialTokens: true)));
        Assert.That(Prompter(Convert("llama-2")).Encode("Hi"), Is.EqualTo(tokenizer.Encode("Hi", addSpecialTokens: false)));
    }

    private static ChatPrompter Prompter(WeftHeader header) => ChatPrompter.Of(header, Tokenizer.Create(header.Tokenizer!))!;

    private static ChatTemplate Template(string name) => ChatTemplate.Parse(FamilyCatalog.ChatFormats.Single(format => format.Name == name).Template);

    private static string Render(string name, params (string Role, string Content)[] messages)
    {
        var json = new JsonArray([.. messages.Select(message => new JsonObject { ["role"] = message.Role, ["content"] = message.Content })]);
        using var document = JsonDocument.Parse(json.ToJsonString());
        using var variables = JsonDocument.Parse("{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\"}");
        return Template(name).Render(
            document.RootElement, null, addGenerationPrompt: true, variables.RootElement.EnumerateObject().ToDictionary(member => member.Name, member => member.Value));
    }

    /// <summary>Converts a tiny LLaMA with the demo model's tokenizer and more tokens.</summary>
    private static WeftHeader Convert(string? template, string tokenizerConfig = "{}", params string[] tokens)
    {
        using var scratch = new ScratchFolder();
        var checkpoint = new TinyCheckpoint { Config = { ["eos_token_id"] = 2 } };
        checkpoint.Write(scratch["model"]);
        var tokenizer = JsonNode.Parse(File.ReadAllText(Path.Combine(SharedData.Repository, "models", "bard", "tokenizer.json")))!;
        foreach (var (token, i) in tokens.Select((token, i) => (token, i)))
            tokenizer["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 2048 + i, ["content"] = token, ["special"] = true });
        File.WriteAllText(Path.Combine(scratch["model"], "tokenizer.json"), tokenizer.ToJsonString());
        File.WriteAllText(Path.Combine(scratch["model"], "tokenizer_config.json"), tokenizerConfig);
        Converter.Convert(new ConversionOptions(scratch["model"], scratch["out.weft"]) { ChatTemplate = template });
        using var file = WeftFile.Open(scratch["out.weft"]);
        return file.Header;
    }
}
