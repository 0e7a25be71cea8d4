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

    [Test]
    public void Without_a_template_there_is_one_sentence()
    {
        var outcome = WeftProcess.Run(["chat", TestModels.Packed], "Hello.\n");
        Assert.That((outcome.ExitCode, outcome.Out), Is.EqualTo((1, "")), outcome.ToString());
        Assert.That(outcome.Error, Does.Match(@"\Aweft: [^\n]*has no chat template[^\n]*'weft run'[^\n]*\n\z"));
    }

    [Test]
    public void A_template_that_cannot_be_read_is_one_sentence_too()
    {
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
        var folder = TestModels.NewPath();
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.EnumerateFiles(WeftProcess.Bard))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), template);
        var packed = TestModels.NewPath(".weft");
        var outcome = WeftProcess.Run("convert", folder, "-o", packed);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        return packed;
    }
}
