using System.Globalization;
using System.Text;
using Weft.Tokenizers.Splitting;

namespace Weft.Runtime.Tests.Tokenizers;

/// <summary>Expressions over code points against what their sets say of each.</summary>
[TestFixture]
public sealed class RegexSplitterTests
{
    private static IEnumerable<TestCaseData> Sets =>
    [
        Case(@"\p{L}", rune => IsOf(rune, "L")),
        Case(@"\P{L}", rune => !IsOf(rune, "L")),
        Case(@"[\P{L}]", rune => !IsOf(rune, "L")),
        Case(@"[^\P{L}a]", rune => IsOf(rune, "L") && rune.Value != 'a'),
        Case(@"\p{C}", rune => IsOf(rune, "C")),
        Case(@"[^\p{C}]", rune => !IsOf(rune, "C")),
        Case(@"\p{Cs}", _ => false),
        Case(@"\P{Cs}", _ => true),
        Case(@"[\d\s]", rune => IsOf(rune, "Nd") || Rune.IsWhiteSpace(rune)),
        Case(@"[\D]", rune => !IsOf(rune, "Nd")),
        Case(@"[\S]", rune => !Rune.IsWhiteSpace(rune)),
        Case("[\u0800-\u4E00\u4E00-\u9FA5]", rune => rune.Value is >= 0x800 and <= 0x9FA5),
        Case(@"[\u0800-\uFFFF]", rune => rune.Value is >= 0x800 and <= 0xFFFF),
        Case(@"[^\u0800-\uFFFF]", rune => rune.Value is < 0x800 or > 0xFFFF),
        Case("[\uE000-\uFFFF]", rune => rune.Value is >= 0xE000 and <= 0xFFFF),
        Case("😀", rune => rune.Value == 0x1F600),
        Case("[😀]", rune => rune.Value == 0x1F600),
        Case("[^😀]", rune => rune.Value != 0x1F600),
        Case("[😀-😂😁😂-😄x]", rune => rune.Value is >= 0x1F600 and <= 0x1F604 or 'x'),
        Case("[^\U00010000-\U0010FFFF]", rune => rune.IsBmp),
        Case("[a-\U0001F600]", rune => rune.Value is >= 'a' and <= 0x1F600),
        Case(@"[\p{L}😀-😂]", rune => IsOf(rune, "L") || rune.Value is >= 0x1F600 and <= 0x1F602),
        Case(@"[𐐀-𐐏\p{Ll}]", rune => rune.Value is >= 0x10400 and <= 0x1040F || IsOf(rune, "Ll")),
        Case("[]😀]", rune => rune.Value is ']' or 0x1F600),
        Case(".", rune => rune.Value != '\n'),
    ];

    [TestCaseSource(nameof(Sets))]
    public void A_set_has_the_code_points_that_it_names_and_no_others(string pattern, Predicate<Rune> isMember)
    {
        var splitter = new RegexSplitter(pattern);
        var text = new StringBuilder();
        var expected = new List<Range>();
        foreach (var rune in Runes())
        {
            var from = text.Length;
            text.Append(rune.ToString());
            if (isMember(rune))
                expected.Add(from..text.Length);
        }

        var matches = new List<Range>();
        splitter.Match(text.ToString(), matches, new(text.Length));
        Assert.That(matches, Is.EqualTo(expected));
    }

    [Test]
    public void Quantifiers_and_choices_take_whole_characters()
    {
        var matches = new List<Range>();
        new RegexSplitter("(?>😀+)x?|(?<=😁)😂{2}|[^😀😁😂]").Match("😀😀x😂😁😂😂é𐐀", matches, new(100));
        Assert.That(matches, Is.EqualTo(new[] { 0..5, 9..13, 13..14, 14..16 }));
    }

    [Test]
    public void Letters_have_all_their_forms_where_case_does_not_matter()
    {
        var matches = new List<Range>();
        new RegexSplitter("(?i:s(?-i:s)[q-t]σ)|(?i)[^b-tϑk]|(?:K)").Match("\u017Fs\u017FςS\u017Fsσ\u017F\u212AθA", matches, new(100));
        Assert.That(matches, Is.EqualTo(new[] { 0..4, 7..8, 9..10, 11..12 }));
    }

    [Test]
    public void An_empty_match_where_another_ends_is_none()
    {
        var matches = new List<Range>();
        var splitter = new RegexSplitter("a*");
        splitter.Match("aab\u00E9", matches, new(100));
        Assert.That(matches, Is.EqualTo(new[] { 0..2, 3..3, 4..4 }));
        Assert.That((splitter.Replace("aab", "-", new(100)), splitter.Replace("", "-", new(100))), Is.EqualTo(("-b-", "")));
    }

    [Test]
    public void An_expression_that_names_too_many_characters_is_refused()
    {
        var pattern = string.Concat(Enumerable.Range(0, 3000).Select(i => char.ConvertFromUtf32(0x20000 + (2 * i))));
        Assert.That(() => new RegexSplitter(pattern), Throws.TypeOf<WeftException>().With.Message.Contains("too many characters beyond U+FFFF"));
    }

    private static TestCaseData Case(string pattern, Predicate<Rune> isMember) => new(pattern, isMember) { TestName = $"Set {pattern}" };

    /// <summary>Runes of every category, the first and last of each plane's parts, and the neighbours of those that the sets name.</summary>
    private static IEnumerable<Rune> Runes()
    {
        int[] named = ['a', ']', 'x', '\n', 0x800, 0x4E00, 0x9FA5, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10400, 0x1040F, 0x1F600, 0x1F602, 0x1F604, 0x10FFFF];
        var points = named.SelectMany(point => new[] { point - 1, point, point + 1 });
        return points.Concat(Enumerable.Range(0, 0x110000 / 97).Select(i => 97 * i)).Where(Rune.IsValid).Select(point => new Rune(point));
    }

    private static bool IsOf(Rune rune, string name) => Short(Rune.GetUnicodeCategory(rune)).StartsWith(name, StringComparison.Ordinal);

    private static string Short(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => "Lu",
        UnicodeCategory.LowercaseLetter => "Ll",
        <= UnicodeCategory.OtherLetter => "L",
        UnicodeCategory.DecimalDigitNumber => "Nd",
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned => "C",
        _ => "",
    };
}
