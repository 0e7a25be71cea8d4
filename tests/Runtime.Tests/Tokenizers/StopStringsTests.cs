using FsCheck;
using FsCheck.Fluent;
using Weft.Tokenizers;

namespace Weft.Runtime.Tests.Tokenizers;

[TestFixture]
public sealed class StopStringsTests
{
    [TestCase("aaab", "aab", "a")]
    [TestCase("hello world", "wor", "hello ")]
    [TestCase("hello", "x", "hello")]
    [TestCase("stop", "stop", "")]
    public void Text_before_the_match_is_shown(string text, string stop, string shown)
    {
        var stops = new StopStrings([stop]);
        var result = string.Concat(text.Select(c => stops.Append(c.ToString()))) + stops.Flush();
        Assert.That(result, Is.EqualTo(shown));
    }

    [Test]
    public void Text_that_cannot_become_a_stop_string_is_not_held_back()
    {
        var stops = new StopStrings(["\n\nUser:"]);
        Assert.That(stops.Append("one\n"), Is.EqualTo("one"));
        Assert.That(stops.Append("two"), Is.EqualTo("\ntwo"));
        Assert.That(stops.IsMatched, Is.False);
    }

    [Test]
    public void Nothing_comes_after_a_match()
    {
        var stops = new StopStrings(["b", "ab"]);
        Assert.That(stops.Append("xab"), Is.EqualTo("x"));
        Assert.That((stops.Match, stops.Append("more"), stops.Flush()), Is.EqualTo(("ab", "", "")));
    }

    [Test]
    public void An_empty_stop_string_is_refused() =>
        Assert.That(() => new StopStrings(["a", ""]), Throws.TypeOf<WeftException>().With.Message.Contains("empty"));

    [Test]
    public void Any_cut_of_the_stream_gives_what_the_whole_text_gives()
    {
        // Few letters, so that stop strings overlap each other and themselves.
        var word = Gen.Elements('a', 'b', 'c').ListOf().Select(letters => new string([.. letters]));
        var cases = from text in word
                    from stops in word.Where(stop => stop.Length is > 0 and < 6).ListOf().Where(list => list.Count is > 0 and < 4)
                    from cuts in Gen.Choose(1, 4).ListOf()
                    select (text, stops: stops.ToArray(), cuts: cuts.ToArray());
        Prop.ForAll(cases.ToArbitrary(), (Action<(string Text, string[] Stops, int[] Cuts)>)(c =>
        {
            var stops = new StopStrings(c.Stops);
            var shown = "";
            var (at, cut) = (0, 0);
            while (at < c.Text.Length)
            {
                var length = Math.Min(c.Cuts.Length > 0 ? c.Cuts[cut++ % c.Cuts.Length] : 1, c.Text.Length - at);
                shown += stops.Append(c.Text.Substring(at, length));
                at += length;
            }

            shown += stops.Flush();
            Assert.That(shown, Is.EqualTo(Expected(c.Text, c.Stops)), $"{c.Text} until {string.Join(" or ", c.Stops)}");
        })).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
    }

    /// <summary>Up to the match that is complete first, the longest of those that end together.</summary>
    private static string Expected(string text, string[] stops)
    {
        for (var end = 1; end <= text.Length; end++)
        {
            var match = stops.Where(stop => text[..end].EndsWith(stop, StringComparison.Ordinal)).MaxBy(stop => stop.Length);
            if (match is not null)
                return text[..(end - match.Length)];
        }

        return text;
    }
}
