using System.Globalization;
using System.Text.Json;
using Weft.Chat;

namespace Weft.Runtime.Tests.Chat;

/// <summary>What a template is given, and how it refuses.</summary>
[TestFixture]
public sealed class ChatTemplateTests
{
    private static readonly Dictionary<string, JsonElement> None = [];

    [Test]
    public void A_template_sees_messages_tools_and_the_generation_prompt()
    {
        var template = ChatTemplate.Parse("{{ messages[0].role }} {{ tools[0].name }} {{ add_generation_prompt }} {{ documents is none }}");
        var text = template.Render(Rendering.Parse("""[{"role": "user"}]"""), Rendering.Parse("""[{"name": "f"}]"""), addGenerationPrompt: true, None);
        Assert.That(text, Is.EqualTo("user f True True"));
    }

    [Test]
    public void Without_tools_the_variable_is_none_rather_than_undefined() =>
        Assert.That(Rendering.Render("{{ tools is defined }} {{ tools is none }} {{ add_generation_prompt }}"), Is.EqualTo("True True False"));

    [Test]
    public void A_variable_takes_the_place_of_what_the_template_has_otherwise()
    {
        var variables = Rendering.Members(Rendering.Parse("""{"bos_token": "<s>", "range": 1, "tools": "T"}"""));
        var text = ChatTemplate.Parse("{{ bos_token }}{{ range }}{{ tools }}").Render(Rendering.NoMessages, tools: null, addGenerationPrompt: false, variables);
        Assert.That(text, Is.EqualTo("<s>1T"));
    }

    [Test]
    public void The_clock_is_asked_when_no_time_is_given()
    {
        var before = DateTime.Now.Date;
        var text = ChatTemplate.Parse("{{ strftime_now('%Y-%m-%d') }}").Render(Rendering.NoMessages, tools: null, addGenerationPrompt: false, None);
        var date = DateTime.ParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture);
        Assert.That(date, Is.InRange(before, DateTime.Now.Date));
    }

    [Test]
    public void A_refusal_carries_the_templates_own_sentence()
    {
        var exception = Rendering.Refusal("\n{{ raise_exception('System role not supported') }}");
        Assert.That(exception.Reason, Is.EqualTo("System role not supported"));
        Assert.That(exception.Message, Is.EqualTo("The chat template refuses the conversation: System role not supported"));
    }

    [TestCase("a\n{% if true %}\n{{ missing.role }}{% endif %}", 3)]
    [TestCase("{% macro m(a) %}\n{{ a.b.c }}{% endmacro %}\n\n{{ m({}) }}", 2)]
    [TestCase("{% macro m() %}\n\n{% endmacro %}\n{{ m() ~ missing.x }}", 4)]
    [TestCase("{% for m in\n messages.x.y %}{% endfor %}\n", 1)]
    public void A_failure_names_the_line_of_its_statement(string template, int line) =>
        Assert.That(Rendering.Refusal(template).Message, Does.StartWith($"The chat template fails in line {line}: "));

    [TestCase("a\n\n{{ 1 + }}", 3)]
    [TestCase("{% if true %}\n\nx", 3)]
    [TestCase("\n{# \n", 2)]
    [TestCase("{{ '\n\n' ! }}", 3)]
    [TestCase("{%- raw -%}\n\n{% endraw %}\n{{ x|no_such_filter }}", 4)]
    public void A_template_that_cannot_be_read_is_refused_with_its_line(string template, int line) =>
        Assert.That(() => ChatTemplate.Parse(template), Throws.TypeOf<WeftException>().With.Message.StartsWith($"Line {line} of the chat template cannot be read: "));

    [Test]
    public void A_template_renders_from_several_threads_at_once()
    {
        var template = ChatTemplate.Parse("{% set ns = namespace(n=0) %}{% for i in range(x) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}");
        var texts = Enumerable.Range(0, 64).AsParallel().Select(i => template.Render(
            Rendering.NoMessages, tools: null, addGenerationPrompt: false, new Dictionary<string, JsonElement> { ["x"] = Rendering.Parse($"{i}") })).ToList();
        Assert.That(texts, Is.EquivalentTo(Enumerable.Range(0, 64).Select(i => $"{i * (i - 1) / 2}")));
    }

    [Test]
    public void A_long_conversation_does_not_use_up_the_steps_of_its_template()
    {
        var template = ChatTemplate.Parse(
            "{% for m in messages %}{{ '<' + m.split('</think>')[-1].strip() + '>' }}{% if '<' in m %}{{ (m + m).upper()|length }}{% endif %}{% endfor %}");
        var messages = Rendering.Parse($"[{string.Join(',', Enumerable.Repeat($"\"{new string('a', 1000)}\"", 7000))}]");
        Assert.That(template.Render(messages, tools: null, addGenerationPrompt: false, None), Has.Length.EqualTo(7000 * 1002));
    }

    [TestCase("""{"a": "\ud800"}""", "not valid Unicode")]
    [TestCase("""{"a": 999999999999999999999999999999999999999}""", "128 bits")]
    [TestCase("""{"\udc00": 1}""", "not valid Unicode")]
    public void Values_that_no_template_can_hold_are_refused(string json, string reason)
    {
        var template = ChatTemplate.Parse("x");
        Assert.That(
            () => template.Render(Rendering.Parse(json), tools: null, addGenerationPrompt: false, None),
            Throws.TypeOf<ChatTemplateException>().With.Message.StartsWith("The chat template cannot be given the conversation: ").And.Message.Contains(reason));
    }

    [Test]
    public void Of_two_members_with_one_name_the_last_counts_in_the_place_of_the_first() =>
        Assert.That(
            ChatTemplate.Parse("{{ messages }}").Render(Rendering.Parse("""{"a": 1, "b": 2, "a": 3}"""), tools: null, addGenerationPrompt: false, None),
            Is.EqualTo("{'a': 3, 'b': 2}"));

    [Test]
    public void Numbers_keep_the_type_that_JSON_writes_them_in() =>
        Assert.That(
            ChatTemplate.Parse("{{ messages|tojson }}").Render(
                Rendering.Parse("[1, 1.0, 1e2, -0, -0.0, 1e400, 18446744073709551615]"), tools: null, addGenerationPrompt: false, None),
            Is.EqualTo("[1, 1.0, 100.0, 0, -0.0, Infinity, 18446744073709551615]"));

    [TestCase("{{ __import__ }}")]
    [TestCase("{{ x.__class__ }}")]
    [TestCase("{% set __x = 1 %}")]
    [TestCase("{{ x|attr(name=__x) }}")]
    public void Pythons_own_names_are_refused(string template) =>
        Assert.That(() => ChatTemplate.Parse(template), Throws.TypeOf<WeftException>().With.Message.Contains("two underscores"));

    [TestCase("{{ ''['__class__'].mro }}", "access to attribute '__class__' of 'str' object is unsafe.")]
    [TestCase("{{ (''|attr('__class__')).mro }}", "access to attribute '__class__' of 'str' object is unsafe.")]
    [TestCase("{{ '{0.__class__.mro}'.format(1) }}", "access to attribute '__class__' of 'int' object is unsafe.")]
    [TestCase("{{ ([{}]|map(attribute='__class__')|first)() }}", "access to attribute '__class__' of 'dict' object is unsafe.")]
    public void Pythons_own_attributes_cannot_be_used_by_another_way(string template, string reason) =>
        Assert.That(Rendering.Refusal(template).Reason, Is.EqualTo(reason));
}
