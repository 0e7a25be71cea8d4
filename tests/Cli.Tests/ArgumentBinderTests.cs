using Weft.Cli.Arguments;
using Weft.Cli.Verbs;

namespace Weft.Cli.Tests;

/// <summary>A verb's properties from a command line; what is wrong with one is tested in <see cref="UsageTests"/>.</summary>
[TestFixture]
public sealed class ArgumentBinderTests
{
    [Test]
    public void Of_what_is_given_several_times_a_sequence_takes_all_and_a_value_the_last()
    {
        var verb = Bind<ServeVerb>("serve", "m", "--port", "1", "--cors-origin", "x", "a=b", "--port=2", "--cors-origin=y", "c");
        Assert.That(verb.Port, Is.EqualTo(2));
        Assert.That(verb.CorsOrigins, Is.EqualTo(new[] { "x", "y" }));
        Assert.That(verb.Model, Is.EqualTo("m"));
        Assert.That(verb.More, Is.EqualTo(new[] { "a=b", "c" }));
    }

    [Test]
    public void What_is_not_given_keeps_its_default()
    {
        var verb = Bind<ServeVerb>("serve", "m");
        Assert.That(verb, Has.Property("Port").EqualTo(8080).And.Property("Host").EqualTo("127.0.0.1").And.Property("CacheTokens").Null.And.Property("AllowPriority").False);
        Assert.That(verb.More, Is.Empty);
    }

    [Test]
    public void Numbers_are_read_alike_in_every_country()
    {
        var verb = Bind<RunVerb>("run", "m", "-1.5", "-t", "0.25", "-n3", "--seed=18446744073709551615", "--greedy");
        Assert.That(verb, Has.Property("Prompt").EqualTo("-1.5").And.Property("MaxTokens").EqualTo(3).And.Property("Greedy").True);
        Assert.That(verb.Temperature, Is.EqualTo(0.25f));
        Assert.That(verb.Seed, Is.EqualTo(ulong.MaxValue));
    }

    [Test]
    public void After_two_dashes_nothing_is_an_option() =>
        Assert.That(Bind<RunVerb>("run", "m", "--", "--greedy"), Has.Property("Prompt").EqualTo("--greedy").And.Property("Greedy").False);

    private static T Bind<T>(string verb, params string[] arguments) => (T)ArgumentBinder.Bind(VerbCatalog.Find(verb).Syntax, arguments);
}
