using System.Text.Json;
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

    [TestCase("""{"model":{"type":"Trigram","vocab":[]}}""", "'Trigram' is not supported; supported are BPE")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}""", "'b', which is not in its vocabulary")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[["a","b"]]}}""", "a token that it does not have")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["ab"]}}""", "not a pair")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":0},"merges":[null]}}""", "not a pair")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":-5},"merges":[]}}""", "out of range")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":2000000000},"merges":[]}}""", "out of range")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":"zero"},"merges":[]}}""", "wrong type")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":0},"merges":7}}""", "wrong type")]
    [TestCase("""{"model":{"type":"BPE","vocab":{"a":0}}}""", "missing")]
    [TestCase("""{"added_tokens":[]}""", "missing")]
    [TestCase("""[]""", "wrong type")]
    [TestCase("""{"model":""", "not valid JSON")]
    [TestCase("""{"normalizer":{"type":"Uppercase"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "normalizer 'Uppercase' is not supported")]
    [TestCase("""{"pre_tokenizer":{"type":"Sentences"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "pre-tokenizer 'Sentences' is not supported")]
    [TestCase("""{"decoder":{"type":"RNNT"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "decoder 'RNNT' is not supported")]
    [TestCase("""{"post_processor":{"type":"Pairs"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "post-processor 'Pairs' is not supported")]
    [TestCase("""{"pre_tokenizer":{"type":"Split","behavior":"Isolated","invert":false,"pattern":{"Regex":"(["}},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "not a regular expression")]
    [TestCase("""{"pre_tokenizer":{"type":"Split","behavior":"Isolated","invert":false,"pattern":{"Regex":null}},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "an expression that is null")]
    [TestCase("""{"model":{"type":"Unigram","unk_id":7,"vocab":[["a",0]]}}""", "a special token that it does not have")]
    [TestCase("""{"added_tokens":[{"id":-1,"content":"x"}],"model":{"type":"BPE","vocab":{},"merges":[]}}""", "wrong type")]
    [TestCase("""{"normalizer":{"type":"Precompiled","precompiled_charsmap":"////fwAA"},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "character map is damaged")]
    [TestCase("""{"post_processor":{"type":"TemplateProcessing","special_tokens":{},"single":[]},"model":{"type":"BPE","vocab":{},"merges":[]}}""", "the text 0 times")]
    public void A_tokenizer_that_cannot_be_used_is_said(string json, string expected)
    {
        var path = Path.Combine(folder, "tokenizer.json");
        File.WriteAllText(path, json);
        Assert.That(() => TokenizerReader.Read(folder), Throws.TypeOf<WeftException>().With.Message.StartsWith(path).And.Message.Contains(expected));
    }

    [TestCase(@"\X", "clusters of characters (\\X)")]
    [TestCase(@"a\yb", "boundaries of clusters of characters (\\y)")]
    [TestCase(@"a\Kb", "what stands before a match and is not part of it (\\K)")]
    [TestCase("(?~ab)", "what is absent, (?~…)")]
    [TestCase("(a)?(?(1)b|c)", "conditions, (?(…)…)")]
    [TestCase("(?{a})", "callouts")]
    [TestCase("(*FAIL)", "callouts")]
    [TestCase(@"(?<n>a|\g<n>b)", "calls of groups (\\g)")]
    [TestCase(@"(a)\k<-1>", "back-references that count from where they stand")]
    [TestCase(@"(a)\2", "it refers to group 2, which it does not have")]
    [TestCase(@"\xE4\xBD\xA0", "bytes that are no character of their own")]
    [TestCase(@"\M-a", "\\M is not supported")]
    [TestCase(@"\u12", "a character that there is not")]
    [TestCase(@"\x{110000}", "a character that there is not")]
    [TestCase("(?P<n>a)", "the option 'P' is not supported")]
    [TestCase("(?s:a.b)", "the option 's' is not supported")]
    [TestCase("(?<1>a)", "a group cannot have the name '1'")]
    [TestCase(@"\p{Grapheme_Base}", "the property 'Grapheme_Base' is not known")]
    [TestCase("[[:letters:]]", "the set 'letters' is not known")]
    [TestCase("a|{2}", "a quantifier has nothing to repeat")]
    [TestCase("a{1,100001}", "more than 100000 repeats")]
    [TestCase("a)", "a group is closed that was not opened")]
    [TestCase("(?#a", "a comment has no end")]
    public void An_expression_that_is_not_understood_is_named(string pattern, string expected)
    {
        var path = Path.Combine(folder, "tokenizer.json");
        var json = JsonSerializer.Serialize(new { pre_tokenizer = new { type = "Split", behavior = "Isolated", invert = false, pattern = new { Regex = pattern } }, model = new { type = "BPE", vocab = new { }, merges = Array.Empty<string>() } });
        File.WriteAllText(path, json);
        Assert.That(() => TokenizerReader.Read(folder), Throws.TypeOf<WeftException>().With.Message.StartsWith($"{path}: the tokenizer splits by '{pattern}', which is not a regular expression that is understood: ").And.Message.Contains(expected));
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

    [TestCase("qwen.tiktoken", "QUI= 0\nQQ== x\n", "no token in Base64")]
    [TestCase("qwen.tiktoken", "QUI= 0\nQQ== 0\n", "there twice")]
    [TestCase("qwen.tiktoken", "", "no tokens")]
    [TestCase("rwkv_vocab.txt", "1 'a' 2\n", "no id, token and length")]
    [TestCase("rwkv_vocab.txt", "1 b'\\xZZ' 1\n", "no id, token and length")]
    [TestCase("rwkv_vocab.txt", "1 '\\' 1\n", "no id, token and length")]
    public void A_damaged_text_vocabulary_is_said(string name, string text, string expected)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, text);
        Assert.That(() => TokenizerReader.Read(folder), Throws.TypeOf<WeftException>().With.Message.StartsWith(path).And.Message.Contains(expected));
    }

    [Test]
    public void A_truncated_or_damaged_gguf_file_is_a_result_or_a_sentence()
    {
        if (SharedData.TryFind("vocab/ggml-vocab-llama-spm.gguf") is not { } source)
        {
            Assert.Ignore("the shared vocabularies are not beside the repository");
            return;
        }

        var whole = File.ReadAllBytes(source);
        var path = Path.Combine(folder, "vocabulary.gguf");
        var random = new Random(7);
        for (var i = 0; i < 60; i++)
        {
            var bytes = i % 2 == 0 ? whole[..random.Next(whole.Length)] : (byte[])whole.Clone();
            bytes[random.Next(Math.Min(bytes.Length, 1500))] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(path, bytes);
            try
            {
                TokenizerReader.Read(path);
            }
            catch (WeftException exception)
            {
                Assert.That(exception.Message, Does.StartWith(path));
            }
        }
    }

    [Test]
    public void A_folder_without_a_tokenizer_has_none() => Assert.That(TokenizerReader.Read(folder), Is.Null);

    [Test]
    public void The_shortest_tokenizer_works()
    {
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), """{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]},"decoder":{"type":"Fuse"}}""");
        var tokenizer = Weft.Tokenizers.Tokenizer.Create(TokenizerReader.Read(folder)!);
        Assert.That(tokenizer.Encode("abba"), Is.EqualTo(new[] { 2, 1, 0 }));
        Assert.That(tokenizer.Decode([2, 1, 0, 99, -1]), Is.EqualTo("abba"));
    }
}
