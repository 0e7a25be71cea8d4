using System.Text.Json;
using Weft.Cli.Chat;
using Weft.Cli.Output;

namespace Weft.Cli.Tests;

/// <summary><c>weft chat</c>, through a pipe as a program would drive it.</summary>
[TestFixture]
public sealed class ChatTests
{
    private const string Template =
        "{%- for message in messages -%}{{ message['role'] | upper }}:\n{{ message['content'] }}\n\n{% endfor -%}{%- if add_generation_prompt -%}ASSISTANT:\n{% endif -%}";

    private static readonly Lazy<string> LazyModel = new(() => Pack(Template));

    private static string Packed => LazyModel.Value;

    [Test]
    public void Every_turn_continues_the_conversation_so_far()
    {
        var outcome = Chat(Packed, "Who is there?\nSay more.\n");
        var first = Continued("USER:\nWho is there?\n\nASSISTANT:\n");
        var second = Continued($"USER:\nWho is there?\n\nASSISTANT:\n{first}\n\nUSER:\nSay more.\n\nASSISTANT:\n");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Out.TrimEnd('\n'), Is.EqualTo(Line(first) + second));
        Assert.That(outcome.Error, Is.Empty);
    }

    [Test]
    public void The_beginning_of_a_conversation_is_not_computed_again()
    {
        var outcome = Chat(Packed, "Who is there? Speak, and tell us of the night and of the king.\nSay more.\n", "--stats");
        var notes = outcome.Error.TrimEnd('\n').Split('\n');
        Assert.That(notes, Has.Length.EqualTo(2), outcome.ToString());
        Assert.That(notes[0], Does.Not.Contain("from before"));
        Assert.That(notes[1], Does.Match(@"prompt of \d+ tokens, \d+ of them from before"));
    }

    [Test]
    public void Commands_change_show_and_keep_the_conversation()
    {
        var file = TestModels.NewPath(".json");
        var outcome = Chat(Packed, $"/system Be brief.\nHello.\n/save {file}\n/clear\n/history\n/exit\nnever read\n", "--system", "Be long.");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        var answer = Continued("SYSTEM:\nBe brief.\n\nUSER:\nHello.\n\nASSISTANT:\n");
        Assert.That(outcome.Out, Is.EqualTo(Line(answer) + "system: Be brief.\n"));
        using var saved = JsonDocument.Parse(File.ReadAllText(file));
        Assert.That(
            saved.RootElement.EnumerateArray().Select(message => (message.GetProperty("role").GetString(), message.GetProperty("content").GetString())),
            Is.EqualTo(new[] { ("system", "Be brief."), ("user", "Hello."), ("assistant", answer) }));
    }

    [Test]
    public void A_message_may_have_several_lines_and_begin_with_a_slash()
    {
        var outcome = Chat(Packed, "\"\"\"\n/clear\n\nis a word\n\"\"\"\n");
        Assert.That(outcome.Out, Is.EqualTo(Line(Continued("USER:\n/clear\n\nis a word\n\nASSISTANT:\n"))), outcome.ToString());
    }

    [Test]
    public void What_cannot_be_done_is_said_and_the_conversation_goes_on()
    {
        var tooLong = string.Concat(Enumerable.Repeat("word ", 600));
        var outcome = Chat(Packed, $"/clera\n/save\n/save /no/such/folder/file\n{tooLong}\n\nHello.\n");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Out, Is.EqualTo(Line(Continued("USER:\nHello.\n\nASSISTANT:\n"))));
        var notes = outcome.Error.TrimEnd('\n').Split('\n');
        Assert.That(notes, Has.Length.EqualTo(4), outcome.ToString());
        Assert.That(notes, Is.All.StartsWith("weft: "));
        Assert.That(notes[0], Does.Contain("did you mean /clear?"));
        Assert.That(notes[2], Does.Contain("/no/such/folder/file"));
    }

    [Test]
    public void A_refused_message_is_taken_back()
    {
        var model = Pack("{% if 'no' in messages[-1].content %}{{ raise_exception('not that') }}{% endif %}" + Template);
        var outcome = Chat(model, "no\n/history\n");
        Assert.That((outcome.ExitCode, outcome.Out), Is.EqualTo((0, "")), outcome.ToString());
        Assert.That(outcome.Error, Does.Contain("not that"));
    }

    [TestCase("{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}", "System role not supported")]
    [TestCase("{% set messages = messages | rejectattr('role', 'equalto', 'system') | list %}", "leaves it out")]
    public void A_system_text_without_a_place_is_said_and_not_taken(string begin, string reason)
    {
        var model = Pack(begin + Template);
        var outcome = Chat(model, "Hello.\n/system Be brief.\n/history\nSay more.\n");
        var first = Continued("USER:\nHello.\n\nASSISTANT:\n");
        var second = Continued($"USER:\nHello.\n\nASSISTANT:\n{first}\n\nUSER:\nSay more.\n\nASSISTANT:\n");
        Assert.That(outcome.Out.TrimEnd('\n'), Is.EqualTo(Line(first) + $"user: Hello.\nassistant: {first}\n" + second), outcome.ToString());
        Assert.That(outcome.Error, Does.Match($@"\Aweft: the model takes no system text: [^\n]*{reason}\n\z"));
        var refused = Chat(model, "Hello.\n", "--system", "Be brief.");
        Assert.That((refused.ExitCode, refused.Out), Is.EqualTo((1, "")), refused.ToString());
        Assert.That(refused.Error, Does.Contain(reason));
    }

    [Test]
    public void Spaces_before_a_command_and_text_after_one_are_no_message()
    {
        var outcome = Chat(Packed, "  /help\n/exit now\n/clear all\n/system\tBe brief.\n/history\n/exit\nnever read\n");
        Assert.That(outcome.Out, Does.StartWith("/system TEXT").And.EndWith("Ctrl-C         stops an answer, or drops what is being typed\nsystem: Be brief.\n"), outcome.ToString());
        Assert.That(outcome.Error, Is.EqualTo("weft: /exit stands alone on its line; nothing is done\nweft: /clear stands alone on its line; nothing is done\n"));
    }

    [Test]
    public void A_conversation_that_outgrows_the_context_is_told_of_clear()
    {
        var text = string.Concat(Enumerable.Repeat("word ", 75));
        var outcome = Chat(Packed, $"{text}\n{text}\n{text}\n{text}\n/clear\nHello.\n");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Error, Does.Contain("the conversation has outgrown the context").And.Contain("there is room for 256; /clear begins a new one"));
        Assert.That(outcome.Out, Does.EndWith(Line(Continued("USER:\nHello.\n\nASSISTANT:\n"))));
    }

    [Test]
    public void An_answer_that_fills_the_context_says_so()
    {
        var outcome = WeftProcess.Run(["chat", Packed, "--greedy", "--context", "40"], "Hello.\n");
        Assert.That(outcome.Error, Is.EqualTo("weft: the answer ends here because the context is full; /clear begins a new conversation\n"), outcome.ToString());
    }

    [Test]
    [Platform("Linux", Reason = "script makes the terminal")]
    public async Task Ctrl_C_drops_the_line_that_is_being_written()
    {
        if (!File.Exists("/usr/bin/script"))
            Assert.Ignore("there is no 'script', which gives a program a terminal");
        var program = Path.Combine(TestContext.CurrentContext.TestDirectory, "weft.dll");
        using var process = WeftProcess.StartCommand(
            "/usr/bin/script", ["-qec", $"exec dotnet {program} chat {Packed} --greedy -n 12", "/dev/null"], ("XDG_CACHE_HOME", TestModels.CacheRoot), ("TERM", "xterm"));
        var screen = new System.Text.StringBuilder();
        await Shows("> ", 1);
        await Type("half");
        await Shows("half", 1);
        await Type("\u0003");
        await Shows("> ", 2);
        await Type("/history\n");
        await Shows("> ", 3);
        await Type("\u0004");
        var outcome = WeftProcess.Finish(process);
        Assert.That(outcome.ExitCode, Is.Zero, screen.ToString());
        Assert.That(screen.ToString().Replace("\r", "", StringComparison.Ordinal), Does.Match(@"> half(\^C)?\nweft: Ctrl-D or /exit ends\n> /history\n> "));

        async Task Type(string keys)
        {
            await process.StandardInput.WriteAsync(keys);
            await process.StandardInput.FlushAsync();
        }

        async Task Shows(string mark, int times)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            var buffer = new char[256];
            while (screen.ToString().Split(mark).Length <= times)
                screen.Append(buffer, 0, await process.StandardOutput.ReadAsync(buffer, limit.Token));
        }
    }

    [Test]
    public void Thoughts_that_the_prompt_begins_are_told_from_the_answer()
    {
        var model = Pack(Template + "<think>\n");
        var file = TestModels.NewPath(".json");
        var outcome = Chat(model, $"Hello.\n/save {file}\n");
        Assert.That(outcome.Out, Does.StartWith("<think>\n").And.EndWith("\n</think>\n\n\n"), outcome.ToString());
        using var saved = JsonDocument.Parse(File.ReadAllText(file));
        Assert.That(saved.RootElement[1].GetProperty("content").GetString(), Is.Empty);
        Assert.That(outcome.Out, Does.Contain(saved.RootElement[1].GetProperty("reasoning_content").GetString()));
        Assert.That(Chat(model, "Hello.\n", "--hide-thoughts").Out, Is.EqualTo("\n"));
    }

    [TestCase(true, "\e[2mab\e[22m\n\nc\n")]
    [TestCase(false, "<think>\nab\n</think>\n\nc\n")]
    public void Thoughts_are_dimmed_on_a_screen(bool isScreen, string expected)
    {
        Assume.That(Environment.GetEnvironmentVariable("NO_COLOR"), Is.Null.Or.Empty);
        using var output = new StringWriter();
        var writer = new AnswerWriter(new Terminal(TextReader.Null, output, TextWriter.Null, isScreen, errorIsScreen: false), hidesThoughts: false, isOpen: false);
        foreach (var piece in (string[])["<th", "ink>\n", "a", "b", "\n</thi", "nk>\n", "\nc"])
            writer.Write(piece);
        writer.Finish();
        Assert.That(output.ToString(), Is.EqualTo(expected));
        Assert.That((writer.Reasoning, writer.Answer), Is.EqualTo(("ab", "c")));
    }

    [TestCase(true, @"a\u001b]0;PWN\u0007\u009bb" + "\n")]
    [TestCase(false, "a\e]0;PWN\a\u009bb\n")]
    public void What_a_model_says_does_not_steer_a_screen(bool isScreen, string expected)
    {
        using var output = new StringWriter();
        var writer = new AnswerWriter(new Terminal(TextReader.Null, output, TextWriter.Null, isScreen, errorIsScreen: false), hidesThoughts: false, isOpen: false);
        foreach (var piece in (string[])["a\e", "]0;PWN", "\a\u009bb"])
            writer.Write(piece);
        writer.Finish();
        Assert.That(output.ToString(), Is.EqualTo(expected));
    }

    [Test]
    public void Without_a_template_there_is_one_sentence()
    {
        var outcome = WeftProcess.Run(["chat", TestModels.Packed], "Hello.\n");
        Assert.That((outcome.ExitCode, outcome.Out), Is.EqualTo((1, "")), outcome.ToString());
        Assert.That(outcome.Error, Does.Match(@"\Aweft: [^\n]*has no chat template[^\n]*'weft run'[^\n]*--chat-template NAME'[^\n]* vicuna,[^\n]*\n\z"));
    }

    [Test]
    public void A_template_that_cannot_be_read_is_one_sentence_too()
    {
        var warned = WeftProcess.Run("convert", Folder("{% for message in %}"), "-o", TestModels.NewPath(".weft"));
        Assert.That(warned.ExitCode, Is.Zero, warned.ToString());
        Assert.That(warned.Error, Does.Match(@"\Aweft: warning: Line 1 of the chat template cannot be read: [^\n]*; the model continues texts, but cannot chat\n\z"));
        var outcome = WeftProcess.Run(["chat", Pack("{% for message in %}")], "Hello.\n");
        Assert.That((outcome.ExitCode, outcome.Out), Is.EqualTo((1, "")), outcome.ToString());
        Assert.That(outcome.Error, Does.Match(@"\Aweft: Line 1 of the chat template cannot be read: [^\n]*\n\z"));
    }

    [Test]
    [Platform(Exclude = "Win", Reason = "signals are sent with kill")]
    public async Task Ctrl_C_stops_the_answer_and_not_the_program()
    {
        var folder = InterruptTests.Endless();
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), Template);
        using var process = WeftProcess.Start(["chat", folder, "--temperature", "1"]);
        await process.StandardInput.WriteLineAsync("Hello.");
        await process.StandardInput.FlushAsync();
        await process.StandardOutput.ReadAsync(new char[1]);
        WeftProcess.Interrupt(process);
        await process.StandardInput.WriteLineAsync("/history");
        process.StandardInput.Close();
        var outcome = WeftProcess.Finish(process);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Out, Does.Contain("\nuser: Hello.\nassistant: "));
        Assert.That(outcome.Error, Does.Not.Contain("Ctrl-D"));
    }

    private static Outcome Chat(string model, string input, params string[] options) => WeftProcess.Run(["chat", model, "--greedy", "-n", "12", .. options], input);

    private static string Continued(string prompt)
    {
        var outcome = WeftProcess.Run("run", Packed, prompt, "--raw", "--greedy", "-n", "12");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        return outcome.Out.TrimEnd('\n');
    }

    private static string Line(string answer) => answer + "\n";

    private static string Pack(string template)
    {
        var packed = TestModels.NewPath(".weft");
        var outcome = WeftProcess.Run("convert", Folder(template), "-o", packed);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        return packed;
    }

    private static string Folder(string template)
    {
        var folder = TestModels.NewPath();
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.EnumerateFiles(WeftProcess.Bard))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), template);
        return folder;
    }
}
