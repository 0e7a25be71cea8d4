using System.Text.Json;
using Weft.Convert.Tests.Support;
using Weft.Convert.Tokenizers;
using Weft.Reference;
using Weft.Tokenizers;

namespace Weft.Convert.Tests.Tokenizers;

/// <summary>SentencePiece's options and kinds of pieces, as SentencePiece itself runs them: SentencePieceCases.json, made by make_sentencepiece_cases.py.</summary>
[TestFixture]
public sealed class SentencePieceCaseTests
{
    private static readonly JsonElement Models = Read();

    private static IEnumerable<string> Names => Models.EnumerateArray().Select(row => row.GetProperty("name").GetString()!);

    [TestCaseSource(nameof(Names))]
    public void A_model_does_what_the_reference_does(string name)
    {
        var model = Models.EnumerateArray().Single(row => row.GetProperty("name").GetString() == name);
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder["tokenizer.model"], model.GetProperty("model").GetBytesFromBase64());
        File.WriteAllText(folder["tokenizer_config.json"], """{"tokenizer_class":"LlamaTokenizer","add_bos_token":false}""");
        var tokenizer = Tokenizer.Create(TokenizerReader.Read(folder.Root)!);
        Assert.Multiple(() =>
        {
            foreach (var row in model.GetProperty("cases").EnumerateArray())
            {
                var text = row[0].GetString()!;
                Assert.That(tokenizer.Encode(text), Is.EqualTo(Ids(row[1])), $"ids of '{text}'");
                AssertDecodes(Ids(row[1]), row[2].GetString()!);
            }

            foreach (var row in model.GetProperty("ids").EnumerateArray())
                AssertDecodes(Ids(row[0]), row[1].GetString()!);
        });

        void AssertDecodes(int[] ids, string text)
        {
            Assert.That(tokenizer.Decode(ids, skipSpecialTokens: false), Is.EqualTo(text), $"text of {string.Join(' ', ids)}");
            var stream = new StreamingDetokenizer(tokenizer, skipSpecialTokens: false);
            Assert.That(string.Concat(ids.Select(stream.Append)) + stream.Flush(), Is.EqualTo(text), $"stream of {string.Join(' ', ids)}");
        }
    }

    [Test]
    public void Rules_for_decoded_texts_are_refused()
    {
        using var folder = new ScratchFolder();
        byte[] rules = [(5 << 3) | 2, 3, (2 << 3) | 2, 1, 0];
        File.WriteAllBytes(folder["tokenizer.model"], [.. SentencePieceBytes.Write(SentencePieceBytes.Beginning, "a"), .. rules]);
        Assert.That(() => TokenizerReader.Read(folder.Root), Throws.TypeOf<WeftException>().With.Message.Contains("rules for texts that are decoded"));
    }

    private static int[] Ids(JsonElement row) => [.. row.EnumerateArray().Select(id => id.GetInt32())];

    private static JsonElement Read()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(SharedData.Repository, "tests", "Convert.Tests", "Tokenizers", "SentencePieceCases.json")));
        return document.RootElement.Clone();
    }
}
