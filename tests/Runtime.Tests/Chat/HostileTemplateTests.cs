using System.Text;
using Weft.Chat;
using Weft.Chat.Jinja;
using Weft.Reference;

namespace Weft.Runtime.Tests.Chat;

/// <summary>
/// Templates that a downloaded model could carry to use up time, memory or stack: each ends within a second, and with a sentence.
/// </summary>
[TestFixture]
public sealed class HostileTemplateTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [TestCase("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}")]
    [TestCase("{% for i in range(100000) %}{% set x = range(99999)|list %}{% endfor %}")]
    [TestCase("{% for i in range(100000) %}{% set x = -1 in range(100000) %}{% endfor %}")]
    [TestCase("{% for i in range(100000) %}{% set x = range(90000)|sort %}{% endfor %}")]
    [TestCase("{% for i in range(100000) %}{% set x = range(90000)|max %}{% endfor %}")]
    [TestCase("{% for i in range(100000) %}{% set x = range(100000)|last + ([1] * 100000)|length %}{% endfor %}")]
    [TestCase("{% for i in range(100000) %}{{ loop.cycle(*range(1000)) }}{% endfor %}")]
    [TestCase("{% for i in range(100000) %}{% set x = '%.1000f' % 1e-300 %}{% endfor %}")]
    [TestCase("{% for i in range(100000) %}{% set x = 1.1e-300|round(300) %}{% endfor %}")]
    [TestCase("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(90) }}")]
    [TestCase("{% macro m() %}{{ varargs|length }}{% endmacro %}{% for i in range(100000) %}{{ m(*range(100000)) }}{% endfor %}")]
    [TestCase("{% set d = dict(range(90000)|batch(2)) %}{% for i in range(100000) %}{% set x = d.items()|list %}{% endfor %}")]
    [TestCase("{{ []|slice(10**9)|list }}")]
    [TestCase("{{ ([[1]] * 90000)|sum(start=[])|length }}")]
    public void Endless_work_runs_out_of_steps(string template) => AssertFails(template, "it takes more than 300000 steps");

    [TestCase("{{ 'a' * 10**9 }}")]
    [TestCase("{{ 'ab' * 10**30 }}")]
    [TestCase("{{ [0] * 10**9 }}")]
    [TestCase("{{ (0,) * 10**12 }}")]
    [TestCase("{{ 'a'|center(10**9) }}")]
    [TestCase("{{ 'a'.center(10**9, '🙂') }}")]
    [TestCase("{{ 'a'.ljust(10**9) }}")]
    [TestCase("{{ 'a'.rjust(10**18) }}")]
    [TestCase("{{ 'a'.zfill(10**9) }}")]
    [TestCase("{{ 'a\nb'|indent(10**9) }}")]
    [TestCase("{{ ('a\n' * 100000)|indent(100000) }}")]
    [TestCase("{{ '%*d' % (10**9, 1) }}")]
    [TestCase("{{ '%1000000000d' % 1 }}")]
    [TestCase("{{ '%99999999999999999999s' % 1 }}")]
    [TestCase("{{ '%.1000000000f' % 1 }}")]
    [TestCase("{{ '%.*d' % (10**9, 1) }}")]
    [TestCase("{{ '%1000000000s'|format('a') }}")]
    [TestCase("{{ '{:1000000000}'.format(1) }}")]
    [TestCase("{{ '{:{w}}'.format('a', w=10**9) }}")]
    [TestCase("{{ '{:01000000000,}'.format(1) }}")]
    [TestCase("{{ '{:.1000000000f}'.format(1.0) }}")]
    [TestCase("{{ ('a' * 1000000)|replace('a', 'b' * 1000000) }}")]
    [TestCase("{{ ('a' * 1000000)|replace('', 'b' * 1000000) }}")]
    [TestCase("{{ ('b' * 1000000).join('a' * 1000000) }}")]
    [TestCase("{{ range(100000)|join('b' * 1000000) }}")]
    [TestCase("{{ range(100000)|map('string')|map('center', 1000000)|list }}")]
    [TestCase("{{ [1]|batch(10**9, 'x')|list }}")]
    [TestCase("{{ [1]|tojson(indent=10**9) }}")]
    [TestCase("{{ range(10**9)|list }}")]
    [TestCase("{{ range(0, 10**30) }}")]
    [TestCase("{{ 10**10**10 }}")]
    [TestCase("{{ 3 ** 10**30 }}")]
    [TestCase("{{ strftime_now('%c' * 1000000) }}")]
    [TestCase("{% set a = 'a' * 1000000 %}{% for i in range(1000) %}{{ a }}{% endfor %}")]
    [TestCase("{% set a = 'a' * 1000000 %}{% for i in range(1000) %}{% set x %}{{ a }}{% endset %}{% endfor %}")]
    [TestCase("{% filter center(10**8) %}{% endfilter %}")]
    [TestCase("{{ '%s' * 1000000 % 1 }}")]
    [TestCase("{{ '{0}' * 1000000 % 1 }}")]
    public void What_would_fill_the_memory_is_refused_before_it_is_made(string template)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        AssertFails(template);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(400 << 20));
    }

    [TestCase("ns.a ~ ns.a", "'a'", "{{ ns.a|length }}")]
    [TestCase("ns.a + ns.a", "[0]", "{{ ns.a|length }}")]
    [TestCase("ns.a|tojson", "'\\\\'", "{{ ns.a|length }}")]
    [TestCase("[ns.a, ns.a]", "[0]", "{{ ns.a }}")]
    [TestCase("[ns.a, ns.a]", "[0]", "{{ ns.a|tojson }}")]
    [TestCase("[ns.a, ns.a]", "[0]", "{{ '%s' % [ns.a] }}")]
    [TestCase("[ns.a, ns.a]", "[0]", "{{ [].index(ns.a) }}")]
    [TestCase("[ns.a, ns.a]", "[0]", "{{ ns.a == ns.b }}")]
    [TestCase("[ns.a, ns.a]", "[0]", "{{ ns.a < ns.b }}")]
    [TestCase("[ns.a, ns.a]", "[0]", "{{ ns.a in [ns.b] }}")]
    [TestCase("(ns.a, ns.a)", "(1,)", "{{ {ns.a: 1} }}")]
    [TestCase("(ns.a, ns.a)", "(1,)", "{{ {}[ns.a] }}")]
    [TestCase("(ns.a, ns.a)", "(1,)", "{{ [][ns.a].x }}")]
    public void Values_that_double_in_each_round_are_refused(string step, string first, string use) =>
        AssertFails(Loop(100, step, first) + Loop(100, step, first).Replace(".a", ".b", StringComparison.Ordinal)
            .Replace("{% set ns = namespace(a=", "{% set ns.b = (", StringComparison.Ordinal) + use);

    [TestCase("[ns.a]", "[0]", "{{ ns.a }}")]
    [TestCase("[ns.a]", "[0]", "{{ ns.a|tojson }}")]
    [TestCase("[ns.a]", "[0]", "{{ [ns.a] == ns.a }}")]
    [TestCase("{'a': ns.a}", "{}", "{{ ns.a }}")]
    [TestCase("(ns.a,)", "(0,)", "{{ {ns.a: 1} }}")]
    [TestCase("ns.a|map('string')", "[0]", "{{ ns.a|list }}")]
    [TestCase("ns.a|select", "[0]", "{{ ns.a|first }}")]
    [TestCase("ns.a|unique", "[0]", "{% for i in ns.a %}{% endfor %}")]
    [TestCase("ns.a|batch(2)", "[0]", "{{ ns.a|join }}")]
    public void Values_that_nest_endlessly_are_refused(string step, string first, string use) => AssertFails(Loop(90000, step, first) + use);

    [TestCase("{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}")]
    [TestCase("{% set ns = namespace() %}{% set ns.a = [ns, ns] %}{{ ns }}")]
    [TestCase("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")]
    [TestCase("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}")]
    [TestCase("{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{% call m() %}{% endcall %}")]
    [TestCase("{% macro m(f) %}{{ f(f) }}{% endmacro %}{{ m(m) }}")]
    [TestCase("{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}")]
    [TestCase("{% set ns = namespace() %}{% macro m() %}{{ ns.m() }}{% endmacro %}{% set ns.m = m %}{{ m() }}")]
    public void Endless_recursion_is_refused(string template) => AssertFails(template);

    [TestCase("{{ ('a' * 127 ~ 'b' ~ 'a' * 127) in a }}")]
    [TestCase("{{ ('a' * 2000000 ~ 'b') in a }}")]
    [TestCase("{{ a.rfind('a' * 31 ~ 'b' ~ 'a' * 32) }}")]
    [TestCase("{{ a.count('a') }}")]
    [TestCase("{{ a.split('a')|length }}")]
    [TestCase("{{ a|list|length }}")]
    [TestCase("{{ a|upper|length }}")]
    [TestCase("{{ a|title|length }}")]
    [TestCase("{{ (a ~ 'é').title()|length }}")]
    [TestCase("{{ a|wordcount }}")]
    [TestCase("{{ a.isalpha() }}")]
    [TestCase("{{ a.strip()|length }}")]
    [TestCase("{{ ''.strip(a) }}")]
    [TestCase("{{ a.removeprefix('a')|length }}")]
    [TestCase("{{ a.partition('b')|length }}")]
    [TestCase("{{ a[::-1]|length }}")]
    [TestCase("{{ a[1:]|length }}")]
    [TestCase("{{ a|last }}{{ a|reverse|length }}")]
    [TestCase("{{ a|e|length }}")]
    [TestCase("{{ [a]|string|length }}")]
    [TestCase("{{ a|tojson|length }}")]
    [TestCase("{{ a|urlencode|length }}")]
    [TestCase("{{ a == b }}")]
    [TestCase("{{ a < b }}")]
    [TestCase("{{ a.startswith(b) }}")]
    [TestCase("{{ {a: 1}[b] }}")]
    [TestCase("{{ a|int(0, 16) }}")]
    [TestCase("{{ [{}]|map(attribute=a ~ '.')|list }}")]
    [TestCase("{{ [{}]|sort(attribute=a|replace('a', 'a,')) }}")]
    public void Work_on_a_long_text_counts_by_its_length(string use) => AssertFails(
        "{% set a = 'a' * 3000000 %}{% set b = 'a' * 3000000 %}{% for i in range(100000) %}" + use + "{% endfor %}");

    [TestCase("(", "1", ")")]
    [TestCase("[", "", "]")]
    [TestCase("{1:", "1", "}")]
    [TestCase("x(", "", ")")]
    [TestCase("x[", "1", "]")]
    [TestCase("not ", "1", "")]
    [TestCase("-", "1", "")]
    [TestCase("1 if ", "1", "")]
    [TestCase("1 if 1 else ", "1", "")]
    [TestCase("x is eq ", "1", "")]
    [TestCase("1|default(", "1", ")")]
    public void Deeply_nested_expressions_are_refused(string open, string inner, string close) =>
        AssertUnreadable("{{ " + Repeat(open, 50000) + inner + Repeat(close, 50000) + " }}");

    [TestCase("+ 1")]
    [TestCase("* 1")]
    [TestCase("** 1")]
    [TestCase("and 1")]
    [TestCase("or 1")]
    [TestCase("|string")]
    [TestCase(".a")]
    [TestCase("[0]")]
    [TestCase("()")]
    [TestCase(" if 1 else 1")]
    public void Long_chains_of_operators_are_refused(string link) => AssertUnreadable("{{ x" + Repeat(link, 50000) + " }}");

    [TestCase("{% if 1 %}", "{% endif %}")]
    [TestCase("{% for i in [1] %}", "{% endfor %}")]
    [TestCase("{% macro m() %}", "{% endmacro %}")]
    [TestCase("{% with %}", "{% endwith %}")]
    [TestCase("{% call x() %}", "{% endcall %}")]
    [TestCase("{% set x %}", "{% endset %}")]
    [TestCase("{% filter upper %}", "{% endfilter %}")]
    [TestCase("{% generation %}", "{% endgeneration %}")]
    [TestCase("{% if 0 %}{% else %}", "{% endif %}")]
    [TestCase("{% for ((((((((((((((((((((", "")]
    public void Deeply_nested_blocks_are_refused(string open, string close) => AssertUnreadable(Repeat(open, 20000) + Repeat(close, 20000));

    [TestCase("{{", 400000)]
    [TestCase("{%", 400000)]
    [TestCase("{#", 400000)]
    [TestCase("{% raw %}", 100000)]
    [TestCase("{{ '\\", 200000)]
    [TestCase("{{ 9", 200000)]
    [TestCase("{% if x", 100000)]
    [TestCase("{% set a", 100000)]
    public void Tags_that_never_end_are_refused(string open, int times) => AssertUnreadable(Repeat(open, times));

    [TestCase("{% if 0 %}", "{% elif 0 %}", "{% endif %}", 80000, TestName = "Many branches")]
    [TestCase("{{ 1", " ~ 1", " }}", 200000, TestName = "Many parts of a text")]
    [TestCase("{{ 1", " <= 1", " }}", 150000, TestName = "Many comparisons")]
    [TestCase("{{ [", "1, ", "] }}", 100000, TestName = "Many items")]
    [TestCase("", "{% set a = 1 %}", "", 60000, TestName = "Many statements")]
    public void What_is_long_but_does_not_nest_is_read(string begin, string part, string end, int times)
    {
        var template = begin + Repeat(part, times) + end;
        Assert.That(Clock.Shortest(Second, () => Rendering.Render(template)), Is.LessThan(Second));
    }

    [Test]
    public void The_longest_template_is_read_and_a_longer_one_refused()
    {
        Assert.That(Rendering.Render(new string('a', 1 << 20)), Has.Length.EqualTo(1 << 20));
        Assert.That(() => ChatTemplate.Parse(new string('a', (1 << 20) + 1)), Throws.TypeOf<WeftException>().With.Message.Contains("1048577"));
    }

    [Test]
    public void A_frame_with_many_names_is_paid_for_in_each_round()
    {
        var names = string.Concat(Enumerable.Range(0, 40000).Select(i => $"{{% set a{i} = 1 %}}"));
        AssertFails("{% for i in range(100000) %}{% continue %}" + names + "{% endfor %}");
    }

    [Test]
    public void Many_arguments_by_name_are_paid_for()
    {
        var names = Enumerable.Range(0, 40000).Select(i => $"a{i}").ToList();
        AssertFails($"{{% macro m({string.Join(',', names)}) %}}{{% endmacro %}}{{{{ m({string.Join(',', names.Select(name => name + "=1"))}) }}}}");
    }

    [Test]
    public void A_thread_with_a_small_stack_is_enough()
    {
        string[] templates =
        [
            "{{ " + Repeat("(", 195) + "1" + Repeat(")", 195) + " }}", Repeat("{% if 1 %}", 195) + Repeat("{% endif %}", 195),
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", Loop(90000, "[ns.a]", "[0]") + "{{ ns.a }}", "{{ " + Repeat("[", 100000) + " }}",
            "{% macro m(n) %}{{ " + Repeat("[0,", 190) + "m(n + 1)" + Repeat("]", 190) + " }}{% endmacro %}{{ m(0) }}",
        ];
        Exception? failure = null;
        var thread = new Thread(() => failure = Array.ConvertAll(templates, Failure).FirstOrDefault(other => other is not (null or WeftException)), 256 << 10);
        thread.Start();
        thread.Join();
        Assert.That(failure, Is.Null);

        // What does not fit on the stack is refused; anything else would have ended the process.
        static Exception? Failure(string template)
        {
            try
            {
                Rendering.Render(template);
                return null;
            }
            catch (Exception exception)
            {
                return exception;
            }
        }
    }

    [Test]
    public void The_limits_are_those_that_the_template_was_read_with()
    {
        var limits = new RenderLimits { Steps = 100, Depth = 3, TextLength = 50, RangeLength = 10 };
        AssertFails(ChatTemplate.Parse(Repeat("{% for i in range(10) %}", 4) + Repeat("{% endfor %}", 4), limits), "it takes more than 100 steps");
        AssertFails(ChatTemplate.Parse("{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}", limits), "macros call each other deeper than 3 levels");
        AssertFails(ChatTemplate.Parse("{{ 'a' * 51 }}", limits), "a text grows beyond 50 characters");
        AssertFails(ChatTemplate.Parse("{{ range(11) }}", limits), "Range too big. The sandbox blocks ranges larger than MAX_RANGE (10).");
        Assert.That(Rendering.Render(ChatTemplate.Parse("{{ 'a' * 50 }}", limits)), Has.Length.EqualTo(50));
    }

    private static string Loop(int rounds, string step, string first) =>
        $"{{% set ns = namespace(a={first}) %}}{{% for i in range({rounds}) %}}{{% set ns.a = {step} %}}{{% endfor %}}";

    private static string Repeat(string text, int times) => new StringBuilder(text.Length * times).Insert(0, text, times).ToString();

    private static void AssertFails(string template, string? reason = null) => AssertFails(ChatTemplate.Parse(template), reason);

    private static void AssertFails(ChatTemplate template, string? reason)
    {
        ChatTemplateException? exception = null;
        Assert.That(Clock.Shortest(Second, () => exception = Assert.Throws<ChatTemplateException>(() => Rendering.Render(template))), Is.LessThan(Second));
        if (reason is not null)
            Assert.That(exception!.Reason, Is.EqualTo(reason));
    }

    private static void AssertUnreadable(string template) =>
        Assert.That(Clock.Shortest(Second, () => Assert.That(() => ChatTemplate.Parse(template), Throws.TypeOf<WeftException>())), Is.LessThan(Second));
}
