using System.Text.Json;
using Weft.Convert.Tokenizers;
using Weft.Reference;
using Weft.Tokenizers;

namespace Weft.Convert.Tests.Tokenizers;

/// <summary>
/// Every block of a tokenizer.json alone and in company, as Hugging Face's library runs it: BlockCases.json, made by make_block_cases.js.
/// </summary>
[TestFixture]
public sealed class BlockCaseTests
{
    private static readonly JsonElement Blocks = Read();

    private static IEnumerable<string> Names => Blocks.EnumerateArray().Select(row => row.GetProperty("name").GetString()!);

    [TestCaseSource(nameof(Names))]
    public void A_block_does_what_the_reference_does(string name)
    {
        var block = Blocks.EnumerateArray().Single(row => row.GetProperty("name").GetString() == name);
        var folder = Directory.CreateTempSubdirectory("weft-tests-").FullName;
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), block.GetProperty("tokenizer").GetRawText());
        var tokenizer = Tokenizer.Create(TokenizerReader.Read(folder)!);
        Directory.Delete(folder, recursive: true);
        Assert.Multiple(() =>
        {
            foreach (var row in block.GetProperty("cases").EnumerateArray())
            {
                var text = row[0].GetString()!;
                int[] Ids(int column) => [.. row[column].EnumerateArray().Select(id => id.GetInt32())];
                Assert.That(tokenizer.Encode(text, addSpecialTokens: false), Is.EqualTo(Ids(1)), $"ids of '{text}'");
                Assert.That(tokenizer.Encode(text), Is.EqualTo(Ids(2)), $"ids with special tokens of '{text}'");
                Assert.That(tokenizer.Decode(Ids(2), skipSpecialTokens: false), Is.EqualTo(row[3].GetString()), $"text of '{text}'");
                Assert.That(tokenizer.Decode(Ids(2)), Is.EqualTo(row[4].GetString()), $"text without special tokens of '{text}'");
                var stream = new StreamingDetokenizer(tokenizer);
                Streams.AssertSame(string.Concat(Ids(2).Select(stream.Append)) + stream.Flush(), row[4].GetString()!);
            }
        });
    }

    private static JsonElement Read()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(SharedData.Repository, "tests", "Convert.Tests", "Tokenizers", "BlockCases.json")));
        return document.RootElement.Clone();
    }
}
