using System.Text.Json;
using Weft.Convert.Tokenizers;
using Weft.Reference;
using Weft.Tokenizers;

namespace Weft.Convert.Tests.Tokenizers;

/// <summary>Ids, text and streams of the reference libraries, case by case, for every kind of tokenizer file that is supported.</summary>
[TestFixture]
public sealed class TokenizerCaseTests
{
    private static readonly string[] Names =
        ["gpt2", "llama3", "qwen2", "opt", "gpt-neox", "bloom", "falcon", "llama-fast", "llama-spm", "mistral-metaspace", "qwen-tiktoken", "t5-fast", "t5-spm"];

    [TestCaseSource(nameof(Names))]
    public void Every_case_matches_the_reference(string name) => Check(Folder(name), Folder(name));

    [Test]
    public void Every_case_matches_with_a_vocabulary_and_merges_in_files_of_their_own()
    {
        var source = Folder("gpt2");
        var scratch = Directory.CreateTempSubdirectory("weft-tests-").FullName;
        foreach (var name in new[] { "vocab.json", "merges.txt", "tokenizer_config.json" })
            File.Copy(Path.Combine(source, name), Path.Combine(scratch, name));
        Check(scratch, source);
        Directory.Delete(scratch, recursive: true);
    }

    [TestCase("gpt-2")]
    [TestCase("falcon")]
    [TestCase("mpt")]
    [TestCase("llama-spm")]
    public void Every_text_gives_the_ids_of_the_published_vocabulary(string name)
    {
        if (SharedData.TryFind($"vocab/ggml-vocab-{name}.gguf") is not { } path)
        {
            Assert.Ignore("the shared vocabularies are not beside the repository");
            return;
        }

        var tokenizer = Tokenizer.Create(TokenizerReader.Read(path)!);
        var texts = File.ReadAllText(path + ".inp").Split("\n__ggml_vocab_test__\n")[..^1]; // one stands after the last text as well
        var expected = File.ReadAllLines(path + ".out");
        Assert.That(expected, Has.Length.EqualTo(texts.Length));
        Assert.Multiple(() =>
        {
            foreach (var (text, ids) in texts.Zip(expected))
                Assert.That(string.Join(' ', tokenizer.Encode(text, addSpecialTokens: false)), Is.EqualTo(ids.Trim()), $"ids of '{text}'");
        });
    }

    private static string Folder(string name)
    {
        var folder = SharedData.TryFind($"tokenizers/{name}");
        if (folder is null)
            Assert.Ignore("the shared tokenizers are not beside the repository");
        return folder!;
    }

    private static void Check(string source, string expected)
    {
        var tokenizer = Tokenizer.Create(TokenizerReader.Read(source)!);
        using var cases = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(expected, "cases.json")));
        Assert.Multiple(() =>
        {
            foreach (var row in cases.RootElement.EnumerateArray())
            {
                var text = row.GetProperty("text").GetString()!;
                var ids = row.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).ToArray();
                var withSpecial = row.GetProperty("ids_special").EnumerateArray().Select(id => id.GetInt32()).ToArray();
                Assert.That(tokenizer.Encode(text, addSpecialTokens: false), Is.EqualTo(ids), $"ids of '{text}'");
                Assert.That(tokenizer.Encode(text), Is.EqualTo(withSpecial), $"ids with special tokens of '{text}'");
                Assert.That(tokenizer.Decode(withSpecial, skipSpecialTokens: false), Is.EqualTo(row.GetProperty("decoded").GetString()), $"text of '{text}'");
                Assert.That(tokenizer.Decode(withSpecial), Is.EqualTo(row.GetProperty("decoded_skip_special").GetString()), $"text without special tokens of '{text}'");
                if (!row.TryGetProperty("stream", out var expectedStream))
                    continue;
                var stream = new StreamingDetokenizer(tokenizer, skipSpecialTokens: false);
                var pieces = ids.Select(stream.Append).ToArray();
                Assert.That(pieces, Is.EqualTo(expectedStream.EnumerateArray().Select(piece => piece.GetString()).ToArray()), $"stream of '{text}'");
            }
        });
    }
}
