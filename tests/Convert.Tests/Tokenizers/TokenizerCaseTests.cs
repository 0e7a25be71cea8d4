using System.Text.Json;
using Weft.Convert.Tokenizers;
using Weft.Reference;
using Weft.Tokenizers;

namespace Weft.Convert.Tests.Tokenizers;

/// <summary>Ids, text and streams of the reference libraries, case by case, for every kind of tokenizer file that is supported.</summary>
[TestFixture]
public sealed class TokenizerCaseTests
{
    private static readonly string[] Names = ["gpt2", "llama3", "qwen2", "opt", "gpt-neox", "llama-fast", "llama-spm", "mistral-metaspace"];

    [TestCaseSource(nameof(Names))]
    public void Every_case_matches_the_reference(string name)
    {
        if (SharedData.TryFind($"tokenizers/{name}") is not { } folder)
        {
            Assert.Ignore("the shared tokenizers are not beside the repository");
            return;
        }

        var tokenizer = Tokenizer.Create(TokenizerReader.Read(folder)!);
        using var cases = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "cases.json")));
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
                var stream = new StreamingDetokenizer(tokenizer, skipSpecialTokens: false);
                var pieces = ids.Select(stream.Append).ToArray();
                Assert.That(pieces, Is.EqualTo(row.GetProperty("stream").EnumerateArray().Select(piece => piece.GetString()).ToArray()), $"stream of '{text}'");
            }
        });
    }
}
