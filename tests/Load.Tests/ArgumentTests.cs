namespace Weft.Load.Tests;

/// <summary>Addresses and objectives: what reads as one.</summary>
[TestFixture]
public sealed class ArgumentTests
{
    [TestCase("http://localhost:8080", "http://localhost:8080/")]
    [TestCase("http://localhost:8080/", "http://localhost:8080/")]
    [TestCase("http://localhost:8080/v1", "http://localhost:8080/")]
    [TestCase(" https://example.com/v1/ ", "https://example.com/")]
    [TestCase("https://example.com/openai/v1", "https://example.com/openai/")]
    [TestCase("https://example.com/openai", "https://example.com/openai/")]
    [TestCase("http://[::1]:8080", "http://[::1]:8080/")]
    public void An_address_reads_with_and_without_v1(string text, string expected)
    {
        Assert.That(ServerAddress.TryParse(text, out var address), Is.True);
        Assert.That(address!.AbsoluteUri, Is.EqualTo(expected));
    }

    [TestCase(null)]
    [TestCase("")]
    [TestCase("localhost")]
    [TestCase("localhost:8080")]
    [TestCase("ftp://localhost")]
    [TestCase("/v1")]
    [TestCase("http://")]
    [TestCase("http://localhost:99999")]
    [TestCase("http://localhost/?a=b")]
    public void Anything_else_is_no_address(string? text) => Assert.That(ServerAddress.TryParse(text, out _), Is.False);

    [TestCase("ttft=500,tpot=30", 500.0, 30.0)]
    [TestCase("tpot=0.5, ttft=2e3", 2000.0, 0.5)]
    [TestCase("ttft=500", 500.0, null)]
    [TestCase("tpot=30", null, 30.0)]
    public void An_objective_has_one_limit_or_two(string text, double? first, double? other)
    {
        Assert.That(ServiceObjective.TryParse(text, out var objective), Is.True);
        Assert.That(objective, Is.EqualTo(new ServiceObjective(first, other)));
    }

    [TestCase(null)]
    [TestCase("")]
    [TestCase("500")]
    [TestCase("ttft")]
    [TestCase("ttft=")]
    [TestCase("ttft=0")]
    [TestCase("ttft=-1")]
    [TestCase("ttft=nan")]
    [TestCase("ttft=1,ttft=2")]
    [TestCase("e2e=5")]
    [TestCase("ttft=500,")]
    public void Anything_else_is_no_objective(string? text) => Assert.That(ServiceObjective.TryParse(text, out _), Is.False);

    [TestCase(500, 30.0, true)]
    [TestCase(500.1, 1.0, false)]
    [TestCase(1, 30.1, false)]
    [TestCase(1, null, true)]
    public void An_objective_is_met_when_both_limits_are_kept(double first, double? other, bool met) =>
        Assert.That(new ServiceObjective(500, 30).IsMet(first, other), Is.EqualTo(met));
}
