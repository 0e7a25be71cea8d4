using Weft.Convert.Tokenizers;
using Weft.Reference;

namespace Weft.Convert.Tests.Tokenizers;

[TestFixture]
public sealed class BadTokenizerTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("weft-tests-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, recursive: true);

    [TestCase("""{"model":{"type":"Unigram","vocab":[]}}""", "'Unigram' is not supported; supported are BPE")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}""", "'b', which is not in its vocabulary")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[["a","b"]]}}""", "a token that it does not have")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["ab"]}}""", "not a pair")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":-5},"merges":[]}}""", "out of range")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":2000000000},"merges":[]}}""", "out of range")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":"zero"},"merges":[]}}""", "wrong type")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":0},"merges":7}}""", "wrong type")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":0}}}""", "missing")]
    [TestCase("""{"added_tokens":[]}""", "missing")]
    [TestCase("""[]""", "wrong type")]
    [TestCase("""{"model":""", "not valid JSON")]
    [TestCase("""{"normalizer":{"type":"Lowercase"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "normalizer 'Lowercase' is not supported")]
    [TestCase("""{"pre_tokenizer":{"type":"Whitespace"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "pre-tokenizer 'Whitespace' is not supported")]
    [TestCase("""{"decoder":{"type":"CTC"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "decoder 'CTC' is not supported")]
    [TestCase("""{"post_processor":{"type":"BertProcessing"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "post-processor 'BertProcessing' is not supported")]
    [TestCase("""{"pre_tokenizer":{"type":"Split","behavior":"Isolated","invert":false,"pattern":{"Regex":"(["}},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "not a regular expression")]
    [TestCase("""{"model":{"type":"BPE","end_of_word_suffix":"</w>","vocab":{},"merges":[]}}""", "end_of_word_suffix")]
    public void A_tokenizer_that_cannot_be_used_is_said(string json, string expected)
    {
        var path = Path.Combine(folder, "tokenizer.json");
        File.WriteAllText(path, json);
        Assert.That(() => TokenizerReader.Read(folder), Throws.TypeOf<WeftException>().With.Message.StartsWith(path).And.Message.Contains(expected));
    }

    [Test]
    public void A_truncated_sentencepiece_model_is_a_result_or_a_sentence()
    {
        if (SharedData.TryFind("tokenizers/llama-spm/tokenizer.model") is not { } source)
        {
            Assert.Ignore("the shared tokenizers are not beside the repository");
            return;
        }

        var whole = File.ReadAllBytes(source);
        var path = Path.Combine(folder, "tokenizer.model");
        var refused = 0;
        for (var length = 0; length < whole.Length; length += 7)
        {
            File.WriteAllBytes(path, whole[..length]);
            try
            {
                TokenizerReader.Read(folder);
            }
            catch (WeftException exception)
            {
                Assert.That(exception.Message, Does.StartWith(path));
                refused++;
            }
        }

        Assert.That(refused, Is.GreaterThan(whole.Length / 7 * 9 / 10), "a cut inside a message is found");
    }

    [Test]
    public void A_unigram_model_is_refused()
    {
        if (SharedData.TryFind("tokenizers/t5-spm/spiece.model") is not { } source)
        {
            Assert.Ignore("the shared tokenizers are not beside the repository");
            return;
        }

        File.Copy(source, Path.Combine(folder, "tokenizer.model"));
        Assert.That(() => TokenizerReader.Read(folder), Throws.TypeOf<WeftException>().With.Message.Contains("unigram"));
    }

    [Test]
    public void A_folder_without_a_tokenizer_has_none() => Assert.That(TokenizerReader.Read(folder), Is.Null);

    [Test]
    public void The_shortest_tokenizer_works()
    {
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), """{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}""");
        var tokenizer = Weft.Tokenizers.Tokenizer.Create(TokenizerReader.Read(folder)!);
        Assert.That(tokenizer.Encode("abba"), Is.EqualTo(new[] { 2, 1, 0 }));
        Assert.That(tokenizer.Decode([2, 1, 0, 99, -1]), Is.EqualTo("abba"));
    }
}
