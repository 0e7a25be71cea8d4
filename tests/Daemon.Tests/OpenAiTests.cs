using System.Net;
using System.Text.Json;
using Weft.Daemon.Tests.Support;
using Weft.Reference;

namespace Weft.Daemon.Tests;

/// <summary>What OpenAI's routes answer, field by field.</summary>
[TestFixture]
public sealed class OpenAiTests
{
    private static int[] Prompt => Bard.Tokenizer.Encode("ROMEO:");

    private TestServer server = null!;

    [OneTimeSetUp]
    public async Task Start() => server = await TestServer.WithStubAsync();

    [OneTimeTearDown]
    public async Task Stop() => await server.DisposeAsync();

    [Test]
    public async Task A_completion_has_the_text_the_reason_and_the_usage()
    {
        var (status, json) = await server.PostJsonAsync("/v1/completions", """{"model":"bard","prompt":"ROMEO:","max_tokens":7,"nonsense":1}""");
        Assert.That(status, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(json.GetProperty("object").GetString(), Is.EqualTo("text_completion"));
        Assert.That(json.GetProperty("id").GetString(), Does.StartWith("cmpl-"));
        Assert.That(json.GetProperty("model").GetString(), Is.EqualTo("bard"));
        Assert.That(DateTimeOffset.FromUnixTimeSeconds(json.GetProperty("created").GetInt64()), Is.EqualTo(DateTimeOffset.UtcNow).Within(TimeSpan.FromMinutes(1)));
        var choice = json.GetProperty("choices")[0];
        Assert.That(choice.GetProperty("text").GetString(), Is.EqualTo(TestServer.StubText(Prompt, 7)));
        Assert.That(choice.GetProperty("finish_reason").GetString(), Is.EqualTo("length"));
        Assert.That(json.GetProperty("usage").GetRawText(), Is.EqualTo(
            $$$"""{"prompt_tokens":{{{Prompt.Length}}},"completion_tokens":7,"total_tokens":{{{Prompt.Length + 7}}},"prompt_tokens_details":{"cached_tokens":0}}"""));
    }

    [Test]
    public async Task Several_prompts_and_choices_come_in_order()
    {
        var ids = string.Join(',', Prompt);
        var (_, json) = await server.PostJsonAsync("/v1/completions", $$"""{"prompt":["ROMEO:","JULIET:"],"n":2,"max_tokens":3}""");
        var texts = json.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()).ToList();
        var juliet = TestServer.StubText(Bard.Tokenizer.Encode("JULIET:"), 3);
        var romeo = TestServer.StubText(Prompt, 3);
        Assert.That(texts, Is.EqualTo(new[] { romeo, romeo, juliet, juliet }));
        Assert.That(json.GetProperty("usage").GetProperty("completion_tokens").GetInt32(), Is.EqualTo(12));
        var (_, byIds) = await server.PostJsonAsync("/v1/completions", $$"""{"prompt":[{{ids}}],"max_tokens":3}""");
        Assert.That(byIds.GetProperty("choices")[0].GetProperty("text").GetString(), Is.EqualTo(romeo));
        var (_, byArrays) = await server.PostJsonAsync("/v1/completions", $$"""{"prompt":[[{{ids}}],[{{ids}}]],"max_tokens":3}""");
        Assert.That(byArrays.GetProperty("choices").GetArrayLength(), Is.EqualTo(2));
    }

    [Test]
    public async Task A_stream_gives_the_same_text_in_pieces_with_one_id_and_ends_with_usage_and_done([Values] bool isChat)
    {
        var (path, request) = isChat
            ? ("/v1/chat/completions", """{"messages":[{"role":"user","content":"Hello"}],"max_tokens":20,"n":2""")
            : ("/v1/completions", """{"prompt":"ROMEO:","max_tokens":20,"n":2""");
        var (_, whole) = await server.PostJsonAsync(path, request + "}");
        var events = await server.StreamAsync(path, request + """, "stream":true,"stream_options":{"include_usage":true}}""");
        Assert.That(events[^1], Is.EqualTo("[DONE]"));
        var chunks = events.SkipLast(1).Select(text => JsonDocument.Parse(text).RootElement).ToList();
        Assert.That(chunks.Select(chunk => (chunk.GetProperty("id").GetString(), chunk.GetProperty("created").GetInt64())).Distinct().Count(), Is.EqualTo(1));
        Assert.That(chunks.Select(chunk => chunk.GetProperty("object").GetString()), Is.All.EqualTo(isChat ? "chat.completion.chunk" : "text_completion"));
        Assert.That(chunks.SkipLast(1).Select(chunk => chunk.GetProperty("usage").ValueKind), Is.All.EqualTo(JsonValueKind.Null));
        Assert.That(chunks[^1].GetProperty("choices").GetArrayLength(), Is.Zero);
        Assert.That(chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32(), Is.EqualTo(40));
        for (var choice = 0; choice < 2; choice++)
        {
            var mine = chunks.SkipLast(1).Select(chunk => chunk.GetProperty("choices")[0]).Where(c => c.GetProperty("index").GetInt32() == choice).ToList();
            var text = string.Concat(mine.Select(c => isChat
                ? c.GetProperty("delta").TryGetProperty("content", out var content) ? content.GetString() : ""
                : c.GetProperty("text").GetString()));
            var full = whole.GetProperty("choices")[choice];
            Assert.That(text, Is.EqualTo((isChat ? full.GetProperty("message").GetProperty("content") : full.GetProperty("text")).GetString()));
            Assert.That(mine.SkipLast(1).Select(c => c.GetProperty("finish_reason").ValueKind), Is.All.EqualTo(JsonValueKind.Null));
            Assert.That(mine[^1].GetProperty("finish_reason").GetString(), Is.EqualTo("length"));
            if (isChat)
                Assert.That(mine[0].GetProperty("delta").GetProperty("role").GetString(), Is.EqualTo("assistant"));
        }
    }

    [Test]
    public async Task A_chat_goes_through_the_models_template()
    {
        const string Body = """{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Hel"},{"type":"text","text":"lo"}]}],"max_tokens":5}""";
        var rendered = (await server.PostJsonAsync("/apply-template", Body)).Json.GetProperty("prompt").GetString()!;
        Assert.That(rendered, Is.EqualTo("SYSTEM:\nBe brief.\n\nUSER:\nHello\n\nASSISTANT:\n"));
        var (_, json) = await server.PostJsonAsync("/v1/chat/completions", Body);
        var message = json.GetProperty("choices")[0].GetProperty("message");
        Assert.That(message.GetProperty("role").GetString(), Is.EqualTo("assistant"));
        Assert.That(message.GetProperty("content").GetString(), Is.EqualTo(TestServer.StubText(Bard.Tokenizer.Encode(rendered, false), 5)));
    }

    [Test]
    public async Task Tools_reach_the_template_that_is_applied()
    {
        await using var own = await TestServer.WithBardAsync(template: "{{ tools[0].function.name }}");
        const string Body = """{"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"weather"}}]}""";
        Assert.That((await own.PostJsonAsync("/apply-template", Body)).Json.GetProperty("prompt").GetString(), Is.EqualTo("weather"));
    }

    [TestCase("{{ m.tool_calls[0].function.arguments | tojson }}", """{"city": "Paris"}""")]
    [TestCase("{{ 'x' + m.tool_calls[0].function.arguments }}", """x{"city":"Paris"}""")]
    public async Task Arguments_of_calls_reach_the_template_as_it_wants_them(string template, string expected)
    {
        await using var own = await TestServer.WithBardAsync(template: "{% for m in messages if m.tool_calls %}" + template + "{% endfor %}");
        const string Body = """
            {"messages":[{"role":"user","content":"hi"},
            {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]},
            {"role":"tool","tool_call_id":"1","content":"rain"}]}
            """;
        Assert.That((await own.PostJsonAsync("/apply-template", Body)).Json.GetProperty("prompt").GetString(), Is.EqualTo(expected));
    }

    [Test]
    public async Task A_stop_string_ends_the_text_before_it()
    {
        var all = TestServer.StubText(Prompt, 12);
        var stop = all[8..11];
        var body = JsonSerializer.Serialize(new { prompt = "ROMEO:", max_tokens = 12, stop = new[] { "never", stop } });
        var (_, json) = await server.PostJsonAsync("/v1/completions", body);
        var choice = json.GetProperty("choices")[0];
        Assert.That(choice.GetProperty("text").GetString(), Is.EqualTo(all[..all.IndexOf(stop, StringComparison.Ordinal)]));
        Assert.That(choice.GetProperty("finish_reason").GetString(), Is.EqualTo("stop"));
        Assert.That(choice.GetProperty("stop_reason").GetString(), Is.EqualTo(stop));
    }

    [Test]
    public async Task A_stream_whose_first_tokens_give_no_text_yet_begins_with_the_next_ones()
    {
        // Slow enough that every token is news of its own.
        await using var slow = await TestServer.WithStubAsync(program => program.OnStep = _ => Thread.Sleep(10));
        var held = JsonSerializer.Serialize(TestServer.StubText([5, 6, 7], 1) + "no such text");
        var events = await slow.StreamAsync("/v1/completions", $$"""{"prompt":[5,6,7],"max_tokens":6,"temperature":0,"ignore_eos":true,"stop":[{{held}}],"stream":true}""");
        Assert.That(string.Concat(events.SkipLast(1).Select(data => JsonDocument.Parse(data).RootElement.GetProperty("choices")[0].GetProperty("text").GetString())),
            Is.EqualTo(TestServer.StubText([5, 6, 7], 6)));
    }

    [Test]
    public async Task Log_probabilities_come_in_each_routes_own_form()
    {
        var (_, chat) = await server.PostJsonAsync(
            "/v1/chat/completions", """{"messages":[{"role":"user","content":"Hello"}],"max_tokens":2,"temperature":0,"logprobs":true,"top_logprobs":3}""");
        var content = chat.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content");
        Assert.That(content.GetArrayLength(), Is.EqualTo(2));
        Assert.That(content[0].GetProperty("top_logprobs").GetArrayLength(), Is.EqualTo(3));
        Assert.That(content[0].GetProperty("top_logprobs")[0].GetProperty("token").GetString(), Is.EqualTo(content[0].GetProperty("token").GetString()));
        Assert.That(content[0].GetProperty("logprob").GetDouble(), Is.EqualTo(5 - Math.Log(Math.Exp(5) + 2047)).Within(1e-5));
        Assert.That(content[0].GetProperty("bytes").EnumerateArray().Select(b => (byte)b.GetInt32()), Is.EqualTo(
            System.Text.Encoding.UTF8.GetBytes(content[0].GetProperty("token").GetString()!)));

        var (_, completion) = await server.PostJsonAsync("/v1/completions", """{"prompt":"ROMEO: what","max_tokens":0,"echo":true,"logprobs":1}""");
        var choice = completion.GetProperty("choices")[0];
        Assert.That(choice.GetProperty("text").GetString(), Is.EqualTo("ROMEO: what"));
        var scores = choice.GetProperty("logprobs");
        var tokens = Bard.Tokenizer.Encode("ROMEO: what");
        Assert.That(scores.GetProperty("tokens").GetArrayLength(), Is.EqualTo(tokens.Length));
        Assert.That(scores.GetProperty("token_logprobs")[0].ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(scores.GetProperty("token_logprobs")[1].GetDouble(), Is.EqualTo(-Math.Log(Math.Exp(5) + 2047)).Within(1e-5));
        Assert.That(scores.GetProperty("text_offset").EnumerateArray().Last().GetInt32(), Is.EqualTo("ROMEO: what".Length - Bard.Tokenizer.Piece(tokens[^1]).Length));
    }

    [Test]
    public async Task Streamed_prompts_come_whole_with_their_log_probabilities()
    {
        var longer = string.Join(',', Enumerable.Range(10, 200));
        for (var round = 0; round < 10; round++)
        {
            var events = await server.StreamAsync("/v1/completions", $$"""{"prompt":[[5,6,7],[{{longer}}]],"max_tokens":3,"temperature":0,"ignore_eos":true,"echo":true,"logprobs":0,"stream":true}""");
            var counts = new int[2];
            foreach (var text in events.SkipLast(1))
            {
                using var chunk = JsonDocument.Parse(text);
                var choice = chunk.RootElement.GetProperty("choices")[0];
                if (choice.GetProperty("logprobs") is { ValueKind: JsonValueKind.Object } scores)
                    counts[choice.GetProperty("index").GetInt32()] += scores.GetProperty("tokens").GetArrayLength();
            }

            Assert.That(counts, Is.EqualTo(new[] { 6, 203 }));
        }
    }

    [Test]
    public async Task Models_are_listed_and_found_by_name()
    {
        var list = (await server.GetJsonAsync("/v1/models")).GetProperty("data");
        Assert.That(list.EnumerateArray().Select(model => model.GetProperty("id").GetString()), Is.EqualTo(new[] { "bard" }));
        Assert.That((await server.GetJsonAsync("/v1/models/bard")).GetProperty("object").GetString(), Is.EqualTo("model"));
        Assert.That((await server.GetJsonAsync("/v1/models/org/other")).GetProperty("error").GetProperty("code").GetString(), Is.EqualTo("model_not_found"));
    }

    [TestCaseSource(nameof(BadRequests))]
    public async Task What_is_wrong_is_said_with_its_name(string path, string body, int status, string? parameter, string says)
    {
        var (actual, json) = await server.PostJsonAsync(path, body);
        var error = json.GetProperty("error");
        Assert.That((int)actual, Is.EqualTo(status), json.GetRawText());
        Assert.That(error.GetProperty("param").GetString(), Is.EqualTo(parameter));
        Assert.That(error.GetProperty("message").GetString(), Does.Contain(says).And.Match("^[A-Z'].*[.]$"));
        Assert.That(error.GetProperty("type").GetString(), Does.EndWith("_error"));
        server.ShouldBecomeIdle();
    }

    private static IEnumerable<TestCaseData> BadRequests()
    {
        const string Completions = "/v1/completions";
        const string Chat = "/v1/chat/completions";
        TestCaseData Case(string path, string body, int status, string? parameter, string says) => new(path, body, status, parameter, says);
        yield return Case(Completions, "{", 400, null, "not JSON");
        yield return Case(Completions, "", 400, null, "not JSON");
        yield return Case(Completions, "[]", 400, null, "must be an object, but is an array");
        yield return Case(Completions, "{}", 400, "prompt", "missing");
        yield return Case(Completions, """{"prompt":[]}""", 400, "prompt", "empty");
        yield return Case(Completions, """{"prompt":{}}""", 400, "prompt", "must be a string, but is an object");
        yield return Case(Completions, """{"prompt":["a",1]}""", 400, "prompt[1]", "must be a string, but is the number 1");
        yield return Case(Completions, """{"prompt":[1,"a"]}""", 400, "prompt[1]", "must be a whole number, but is a string");
        yield return Case(Completions, """{"prompt":[2048]}""", 400, "prompt", "end at 2047");
        yield return Case(Completions, """{"prompt":[[]]}""", 400, "prompt", "empty");
        yield return Case(Completions, $$"""{"prompt":[{{string.Join(',', new int[1000])}}]}""", 400, "prompt", "1000");
        yield return Case(Completions, """{"prompt":"\ud800"}""", 400, "prompt", "surrogate");
        yield return Case(Completions, """{"\ud800":1,"prompt":"a"}""", 400, null, "surrogate");
        yield return Case(Completions, """{"prompt":"a","logit_bias":{"\ud800":1}}""", 400, null, "surrogate");
        yield return Case(Chat, """{"messages":[{"role":"user","content":"a","name":"\ud800"}]}""", 400, null, "surrogate");
        yield return Case(Chat, """{"messages":[{"role":"user","content":"a","images":["x"]}]}""", 400, "messages[0].images", "text only");
        yield return Case(Completions, """{"prompt":"a","repetition_penalty":1e-38}""", 400, "repetition_penalty", "from 0.01");
        yield return Case(Completions, $$"""{"prompt":"a","stop":[{{string.Join(',', Enumerable.Range(0, 65).Select(i => $"\"{i}\""))}}]}""", 400, "stop", "at most 64");
        yield return Case(Completions, """{"model":"other","prompt":"a"}""", 404, "model", "'other' does not exist");
        yield return Case(Completions, """{"model":7,"prompt":"a"}""", 400, "model", "must be a string, but is the number 7");
        yield return Case(Completions, """{"prompt":"a","temperature":"hot"}""", 400, "temperature", "must be a number, but is a string");
        yield return Case(Completions, """{"prompt":"a","temperature":-1}""", 400, "temperature", "-1");
        yield return Case(Completions, """{"prompt":"a","temperature":1e999}""", 400, "temperature", "1e999");
        yield return Case(Completions, """{"prompt":"a","top_p":1.5}""", 400, "top_p", "1.5");
        yield return Case(Completions, """{"prompt":"a","max_tokens":0}""", 400, "max_tokens", "at least 1");
        yield return Case(Completions, """{"prompt":"a","max_tokens":1.5}""", 400, "max_tokens", "whole number");
        yield return Case(Completions, """{"prompt":"a","max_tokens":99999999999}""", 400, "max_tokens", "whole number");
        yield return Case(Completions, """{"prompt":"a","n":0}""", 400, "n", "from 1 to");
        yield return Case(Completions, """{"prompt":["a","b"],"n":100}""", 400, "n", "200");
        yield return Case(Completions, """{"prompt":"a","stop":""}""", 400, "stop", "empty");
        yield return Case(Completions, """{"prompt":"a","stop":[1]}""", 400, "stop[0]", "must be a string");
        yield return Case(Completions, """{"prompt":"a","logit_bias":{"x":1}}""", 400, "logit_bias", "'x'");
        yield return Case(Completions, """{"prompt":"a","logit_bias":{"5":101}}""", 400, "logit_bias", "101");
        yield return Case(Completions, """{"prompt":"a","logprobs":21}""", 400, "top_logprobs", "21");
        yield return Case(Completions, """{"prompt":"a","stream":"yes"}""", 400, "stream", "true or false");
        yield return Case(Completions, """{"prompt":"a","stream_options":{}}""", 400, "stream_options", "stream");
        yield return Case(Completions, """{"prompt":"a","suffix":"b"}""", 501, "suffix", "not supported yet");
        yield return Case(Completions, """{"prompt":"a","min_tokens":9,"max_tokens":8}""", 400, "min_tokens", "9");
        yield return Case(Chat, """{"model":"bard"}""", 400, "messages", "missing");
        yield return Case(Chat, """{"messages":[]}""", 400, "messages", "empty");
        yield return Case(Chat, """{"messages":"hi"}""", 400, "messages", "must be an array");
        yield return Case(Chat, """{"messages":["hi"]}""", 400, "messages[0]", "must be an object");
        yield return Case(Chat, """{"messages":[{"content":"hi"}]}""", 400, "messages[0].role", "missing");
        yield return Case(Chat, """{"messages":[{"role":"user"}]}""", 400, "messages[0].content", "missing");
        yield return Case(Chat, """{"messages":[{"role":"user","content":5}]}""", 400, "messages[0].content", "must be a string");
        yield return Case(Chat, """{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}""", 400, "messages[0].content[0]", "text only");
        yield return Case(Chat, """{"messages":[{"role":"user","content":"hi"}],"top_logprobs":3}""", 400, "top_logprobs", "logprobs");
        yield return Case(Chat, """{"messages":[{"role":"user","content":"hi"}],"tools":[{}]}""", 501, "tools", "not supported yet");
        yield return Case(Chat, """{"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_object"}}""", 501, "response_format", "json_object");
        yield return Case("/v1/responses", "{}", 501, null, "/v1/responses");
        yield return Case("/v1/nothing", "{}", 404, null, "nothing at POST /v1/nothing");
        yield return Case("/tokenize", "{}", 400, "content", "missing");
        yield return Case("/detokenize", "{}", 400, "tokens", "missing");
        yield return Case("/detokenize", """{"tokens":["a"]}""", 400, "tokens[0]", "whole number");
    }
}
