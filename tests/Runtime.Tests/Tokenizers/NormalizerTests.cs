using Weft.Tokenizers;
using Weft.Tokenizers.Normalization;

namespace Weft.Runtime.Tests.Tokenizers;

/// <summary>SentencePiece's remove_extra_whitespaces; what is expected is what its library 0.2 makes of these texts.</summary>
[TestFixture]
public sealed class NormalizerTests
{
    [TestCase("a  b", "▁a▁b", "▁a▁▁b")]
    [TestCase(" a", "▁a", "▁a")]
    [TestCase("  a", "▁a", "▁a")]
    [TestCase("   a", "▁a", "▁a")]
    [TestCase("a   b", "▁a▁b", "▁a▁▁b")]
    [TestCase("a    b  ", "▁a▁b", "▁a▁▁b")]
    [TestCase("a▁", "▁a", "▁a")]
    [TestCase("a ▁ ▁", "▁a", "▁a")]
    [TestCase("▁", "", "")]
    [TestCase("   ", "", "")]
    [TestCase(" ▁a", "▁▁a", "▁▁a")]
    [TestCase("x  y   z", "▁x▁y▁z", "▁x▁▁y▁▁z")]
    [TestCase("   ▁  a ▁", "▁▁▁a", "▁▁▁▁a")]
    public void Spaces_collapse_but_for_those_of_a_piece(string text, string expected, string withTwoSpacesAsAPiece)
    {
        Assert.That(Normalize([]), Is.EqualTo(expected));
        Assert.That(Normalize(["  "]), Is.EqualTo(withTwoSpacesAsAPiece));

        string Normalize(string[] pieces) => new Normalizer(
            [new() { Kind = NormalizerKind.CollapseSpaces, Pattern = "▁" }, new() { Kind = NormalizerKind.Prepend, Content = " " }, new() { Kind = NormalizerKind.Replace, Pattern = " ", Content = "▁" }],
            pieces).Apply(text, new(text.Length));
    }
}
