using FsCheck;
using FsCheck.Fluent;
using Weft.Tokenizers;
using Weft.Tokenizers.Splitting;

namespace Weft.Runtime.Tests.Tokenizers;

/// <summary>The splitters by hand against the expressions that they stand for.</summary>
[TestFixture]
public sealed class WordSplitterTests
{
    private static Gen<string> Texts => Gen.OneOf(
            Gen.Choose(32, 126).Select(c => ((char)c).ToString()),
            Gen.Elements(" ", "  ", "   ", "\n", "\r\n", "\t", " \n ", "'s", "'LL", "'re ", "'Ve", "'\u017F", "1234", " 12", "é", "e\u0301", "\u00A0", "\u0085", "\u3000", "𝐀", "𝟘", "😀", "漢字", "٣", "Ⅷ", "\u200D", "'", "ABc", "McD", "ǅ", "ʰ", "\u0301", "/", "//\n/", "가A", "...\n\n"),
            Gen.Choose(0, 0xD7FF).Select(c => ((char)c).ToString()),
            Gen.Choose(0x10000, 0x10FFFF).Select(char.ConvertFromUtf32))
        .ListOf().Select(string.Concat);

    [TestCase(WordPatterns.Gpt2)]
    [TestCase(WordPatterns.Llama3)]
    [TestCase(WordPatterns.Qwen)]
    [TestCase(WordPatterns.Cl100k)]
    [TestCase(WordPatterns.O200k)]
    public void A_splitter_cuts_as_its_expression_does(string pattern)
    {
        var splitter = PreTokenizer.Create(new PreTokenizerStep { Kind = PreTokenizerKind.Split, Pattern = pattern });
        Assert.That(splitter, Is.Not.TypeOf<Splitter>());
        var expression = new RegexSplitter(pattern);
        Prop.ForAll(Texts.ToArbitrary(), (Action<string>)(text =>
        {
            List<Range> words = [], expected = [];
            splitter.Cut(text, words, new(text.Length));
            expression.Match(text, expected, new(text.Length));
            Assert.That(words, Is.EqualTo(expected), text);
        })).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }
}
