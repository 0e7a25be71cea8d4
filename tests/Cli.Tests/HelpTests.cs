using Weft.Cli.Arguments;
using Weft.Cli.Output;

namespace Weft.Cli.Tests;

/// <summary>Help pages: every verb has one with examples that the program itself accepts.</summary>
[TestFixture]
public sealed class HelpTests
{
    private static IEnumerable<string> Verbs => VerbCatalog.All.Select(entry => entry.Syntax.Verb.Name);

    [Test]
    public void Every_verb_of_the_product_is_there() => Assert.That(
        Verbs,
        Is.EquivalentTo(new[] { "demo", "convert", "run", "chat", "serve", "inspect", "tokenize", "detokenize", "verify", "eval", "bench", "bench serve", "profile", "doctor" }));

    [TestCaseSource(nameof(Verbs))]
    public void Help_of_a_verb_shows_usage_and_an_example(string verb)
    {
        foreach (var arguments in (string[][])[[.. verb.Split(' '), "--help"], [.. verb.Split(' '), "-h"], ["help", .. verb.Split(' ')]])
        {
            var outcome = InProcess.Run(arguments);
            Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
            Assert.That(outcome.Out, Does.Contain($"Usage: weft {verb}").And.Contain("Examples:\n  ").And.Contain("--verbose"));
            Assert.That(outcome.Error, Is.Empty);
        }
    }

    [TestCaseSource(nameof(Verbs))]
    public void Help_fits_in_100_columns(string verb) =>
        Assert.That(InProcess.Run([.. verb.Split(' '), "--help"]).Out.Split('\n').Max(line => line.Length), Is.LessThanOrEqualTo(100));

    [TestCaseSource(nameof(Verbs))]
    public void Every_option_explains_itself(string verb)
    {
        var syntax = VerbCatalog.Find(verb).Syntax;
        Assert.Multiple(() =>
        {
            Assert.That(syntax.Verb.HelpText, Is.Not.Empty);
            foreach (var option in syntax.Options)
            {
                Assert.That(option.Attribute.HelpText, Is.Not.Empty, option.Long);
                if (option.TakesValue)
                    Assert.That(option.Attribute.MetaValue, Is.Not.Empty, option.Long);
            }
        });
    }

    [TestCaseSource(nameof(Verbs))]
    public void Examples_are_accepted_by_the_parser(string verb)
    {
        var entry = VerbCatalog.Find(verb);
        Assert.That(entry.Examples, Is.Not.Empty);
        foreach (var example in entry.Examples)
        {
            var words = Words(example[(example.LastIndexOf("weft " + verb, StringComparison.Ordinal) + "weft ".Length)..]);
            Assert.That(() => ArgumentBinder.Bind(entry.Syntax, words.AsSpan(verb.Split(' ').Length)), Throws.Nothing, example);
        }
    }

    [Test]
    public void The_program_lists_its_verbs_with_and_without_help([Values("", "--help", "help")] string argument)
    {
        var outcome = InProcess.Run(argument.Length == 0 ? [] : [argument]);
        Assert.That(outcome.ExitCode, Is.Zero);
        foreach (var verb in Verbs)
            Assert.That(outcome.Out, Does.Contain($"\n  {verb} "));
    }

    [Test]
    public void A_verb_points_to_those_whose_names_begin_with_its_own()
    {
        Assert.That(InProcess.Run("bench", "--help").Out, Does.Contain("\nSee also:\n  weft bench serve "));
        Assert.That(InProcess.Run("run", "--help").Out, Does.Not.Contain("See also"));
    }

    [Test]
    public void Version_is_one_line() => Assert.That(InProcess.Run("--version").Out, Does.Match(@"\Aweft \d+\.\d+\.\d+\n\z"));

    [Test]
    public void The_built_program_answers()
    {
        var outcome = WeftProcess.Run("run", "--help");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Out, Does.Contain("Usage: weft run MODEL [PROMPT] [options]"));
    }

    /// <summary>Splits at spaces outside double quotes.</summary>
    private static string[] Words(string line) =>
        [.. line.Split('"').SelectMany((part, i) => i % 2 == 1 ? [part] : part.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
}
