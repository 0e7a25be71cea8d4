using Weft.Load.Workload;

namespace Weft.Load.Tests.Workload;

/// <summary>Prompts: as long as asked for, as much in common as asked for, and the same for the same seed.</summary>
[TestFixture]
public sealed class PromptWriterTests
{
    private static readonly LoadOptions Plain = new()
    {
        Server = new Uri("http://localhost/"),
        PromptTokens = TokenDistribution.Constant(203),
        OutputTokens = TokenDistribution.Constant(9),
    };

    private static readonly PromptScale TwoTokensAWord = new(2, 3, CountedByServer: true);

    [Test]
    public void Words_are_as_many_as_the_scale_says()
    {
        var request = Write(Plain, 0);
        Assert.That(request.Prompt.Split(' '), Has.Length.EqualTo(100).And.All.Not.Empty);
        Assert.That(request.MaxTokens, Is.EqualTo(9));
    }

    [Test]
    public void A_prompt_holds_at_least_a_word()
    {
        var options = Plain with { PromptTokens = TokenDistribution.Constant(1) };
        Assert.That(Write(options, 0).Prompt.Split(' '), Has.Length.EqualTo(1));
    }

    [Test]
    public void Without_a_shared_prefix_prompts_begin_differently() =>
        Assert.That(Common(Write(Plain, 0), Write(Plain, 1)), Is.LessThan(4));

    [TestCase(0.25, 25)]
    [TestCase(0.9, 90)]
    [TestCase(1, 100)]
    public void The_shared_part_is_as_long_as_its_share(double share, int words)
    {
        var options = Plain with { SharedPrefix = share };
        for (var i = 1; i < 20; i++)
            Assert.That(Common(Write(options, 0), Write(options, i)), Is.InRange(words, words + 3));
    }

    [Test]
    public void Prompts_of_different_lengths_share_the_beginning_of_one_text()
    {
        Assert.That(TokenDistribution.TryParse("50-800", out var lengths), Is.True);
        var options = Plain with { SharedPrefix = 0.5, PromptTokens = lengths! };
        var prompts = Enumerable.Range(0, 20).Select(i => Write(options, i)).ToArray();
        var longest = prompts.MaxBy(prompt => prompt.Prompt.Split(' ').Length)!;
        foreach (var prompt in prompts)
            Assert.That(Common(prompt, longest), Is.GreaterThanOrEqualTo(prompt.Prompt.Split(' ').Length / 2));
    }

    [Test]
    public void Each_of_several_prefixes_is_taken()
    {
        var options = Plain with { SharedPrefix = 0.5, Prefixes = 4 };
        var beginnings = Enumerable.Range(0, 400).Select(i => string.Join(' ', Write(options, i).Prompt.Split(' ').Take(50))).CountBy(text => text).ToDictionary();
        Assert.That(beginnings, Has.Count.EqualTo(4));
        Assert.That(beginnings.Values, Has.All.InRange(60, 140));
    }

    [Test]
    public void The_seed_and_the_index_decide_and_nothing_else()
    {
        var request = Write(Plain, 5);
        Assert.That(Write(Plain with { Concurrency = 99 }, 5), Is.EqualTo(request));
        Assert.That(Write(Plain with { Seed = 1 }, 5), Is.Not.EqualTo(request));
        Assert.That(new PromptWriter(Plain, TwoTokensAWord).Write(RandomPurpose.WarmUp, 5), Is.Not.EqualTo(request), "a warm-up must not fill the prefix cache");
    }

    [Test]
    public void Words_may_come_from_a_text() =>
        Assert.That(Write(Plain with { Words = ["uno", "due"] }, 0).Prompt.Split(' ').Distinct(), Is.EquivalentTo(new[] { "uno", "due" }));

    [Test]
    public void The_built_in_words_are_hundreds_plain_ones()
    {
        Assert.That(EnglishWords.All, Has.Count.InRange(500, 1500).And.All.Matches("^[a-z]+$"));
        Assert.That(EnglishWords.All, Is.Unique);
    }

    [TestCase(16, 35, 32, 67, 2, 3)]
    [TestCase(16, 36, 64, 132, 2, 4)]
    [TestCase(16, 20, 32, 41, 1.3125, 0)]
    [TestCase(16, 50, 32, 50, 1.5625, 0)]
    public void A_scale_is_the_line_through_two_counts(int few, int fewTokens, int many, int manyTokens, double perWord, double extra)
    {
        var scale = PromptScale.Through((few, fewTokens), (many, manyTokens));
        Assert.That(scale.TokensPerWord, Is.EqualTo(perWord).Within(1e-9));
        Assert.That(scale.ExtraTokens, Is.EqualTo(extra).Within(1e-9));
    }

    private static PlannedRequest Write(LoadOptions options, int index) => new PromptWriter(options, TwoTokensAWord).Write(RandomPurpose.Request, index);

    private static int Common(PlannedRequest a, PlannedRequest b) =>
        a.Prompt.Split(' ').Zip(b.Prompt.Split(' ')).TakeWhile(pair => pair.First == pair.Second).Count();
}
