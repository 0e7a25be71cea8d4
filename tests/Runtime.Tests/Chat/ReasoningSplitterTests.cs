using System.Text;
using Weft.Chat;

namespace Weft.Runtime.Tests.Chat;

/// <summary>Thoughts told from answers, however the text is cut into pieces.</summary>
[TestFixture]
public sealed class ReasoningSplitterTests
{
    [TestCase("<think>\nLet me see.\n\nYes.\n</think>\n\nThe answer.", "Let me see.\n\nYes.", "The answer.")]
    [TestCase("  \n<think>a</think>b", "a", "b")]
    [TestCase("<think></think>b", "", "b")]
    [TestCase("<think>\n\n</think>\n\nb ", "", "b ")]
    [TestCase("<think>a < b </ think> c</think> d", "a < b </ think> c", "d")]
    [TestCase("<think>never ended  ", "never ended", "")]
    [TestCase("<think>a</thin", "a</thin", "")]
    [TestCase(" an answer\n", "", " an answer\n")]
    [TestCase("<thin", "", "<thin")]
    [TestCase("<b>x <think>y</think>", "", "<b>x <think>y</think>")]
    [TestCase("<think>a</think>b</think>c<think>d", "a", "b</think>c<think>d")]
    [TestCase("", "", "")]
    [TestCase("  ", "", "  ")]
    public void A_text_is_split_however_it_comes(string text, string reasoning, string answer) => AssertSplit(false, text, reasoning, answer);

    [TestCase("a</think>\n\nb", "a", "b")]
    [TestCase("\n\n</think>b", "", "b")]
    [TestCase("all of it", "all of it", "")]
    [TestCase("", "", "")]
    public void Thoughts_may_begin_in_the_prompt(string text, string reasoning, string answer) => AssertSplit(true, text, reasoning, answer);

    [TestCase("<|assistant|><think>\n", true)]
    [TestCase("<think>", true)]
    [TestCase("<think>\n\n</think>\n\n", false)]
    [TestCase("", false)]
    public void A_prompt_that_ends_with_the_mark_has_begun_them(string prompt, bool isOpen) =>
        Assert.That(ReasoningSplitter.IsOpenAfter(prompt), Is.EqualTo(isOpen));

    [Test]
    public void What_is_sure_is_given_at_once()
    {
        var splitter = new ReasoningSplitter();
        Assert.That(splitter.Push("<think>a b "), Is.EqualTo(("a b", "")));
        Assert.That(splitter.Push("c<"), Is.EqualTo((" c", "")));
        Assert.That(splitter.Push("/think>"), Is.EqualTo(("", "")));
        Assert.That(splitter.Push(" d "), Is.EqualTo(("", "d ")));
        Assert.That(splitter.Push("e"), Is.EqualTo(("", "e")));
    }

    private static void AssertSplit(bool isOpen, string text, string reasoning, string answer)
    {
        for (var size = 1; size <= Math.Max(1, text.Length); size++)
        {
            var splitter = new ReasoningSplitter(isOpen);
            var (thoughts, rest) = (new StringBuilder(), new StringBuilder());
            void Add((string Reasoning, string Answer) news) => _ = (thoughts.Append(news.Reasoning), rest.Append(news.Answer));
            foreach (var piece in text.Chunk(size))
                Add(splitter.Push(piece));
            Add(splitter.Finish());
            Assert.That((thoughts.ToString(), rest.ToString()), Is.EqualTo((reasoning, answer)), $"pieces of {size}");
        }
    }
}
