using Weft.Convert.Tests.Support;
using Weft.Convert.Tokenizers;
using Weft.Tokenizers;

namespace Weft.Convert.Tests.Tokenizers;

/// <summary>RWKV's vocabulary as a text file and inside a GGUF file: the same tokens, in two spellings.</summary>
[TestFixture]
public sealed class RwkvVocabularyTests
{
    [Test]
    public void Both_files_give_the_same_ids()
    {
        using var folder = new ScratchFolder();
        // Python writes bytes in single quotes unless they hold one and no double quote; what stands between the quotes is the GGUF's token.
        File.WriteAllText(folder["rwkv_vocab_v20230424.txt"], "1 '\\n' 1\n2 'lo' 2\n3 'hel' 3\n4 ' \"it\\'s\"' 7\n5 \"'s\" 2\n6 b'\\xff\\\\' 2\n7 'é' 2\n8 b'\\xe2\\x82' 2\n9 b'\\xac' 1\n");
        string[] tokens = ["<s>", "\\n", "lo", "hel", " \"it\\'s\"", "'s", "\\xff\\\\", "\\xc3\\xa9", "\\xe2\\x82", "\\xac", "[PAD10]"];
        File.WriteAllBytes(folder["vocabulary.gguf"], GgufBytes.Write(
            ("tokenizer.ggml.model", "rwkv"), ("tokenizer.ggml.tokens", tokens), ("tokenizer.ggml.token_type", new[] { 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5 })));
        foreach (var source in new[] { folder.Root, folder["vocabulary.gguf"] })
        {
            var tokenizer = Tokenizer.Create(TokenizerReader.Read(source)!);
            Assert.That(tokenizer.Encode("hello \"it's\"'s"), Is.EqualTo(new[] { 3, 2, 4, 5 }), source);
            Assert.That(tokenizer.Encode("é€\n"), Is.EqualTo(new[] { 7, 8, 9, 1 }), source);
            Assert.That(tokenizer.PieceBytes(6).ToArray(), Is.EqualTo(new byte[] { 0xFF, (byte)'\\' }), source);
            Assert.That(tokenizer.Decode([3, 2, 4, 5, 7, 8, 9, 1]), Is.EqualTo("hello \"it's\"'sé€\n"), source);
        }
    }

    [Test]
    public void A_token_that_is_no_literal_is_said()
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder["vocabulary.gguf"], GgufBytes.Write(("tokenizer.ggml.model", "rwkv"), ("tokenizer.ggml.tokens", new[] { "\\xZZ" })));
        Assert.That(() => TokenizerReader.Read(folder["vocabulary.gguf"]), Throws.TypeOf<WeftException>().With.Message.Contains("'\\xZZ'"));
    }
}
