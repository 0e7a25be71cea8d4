using System.Text.Json;
using Weft.Reference;
using Weft.Tokenizers.Unicode;

namespace Weft.Runtime.Tests.Tokenizers;

/// <summary>NormalizationCases.json holds texts and their form C as Python's unicodedata computes it: known corners, and random ones.</summary>
[TestFixture]
public sealed class UnicodeNormalizationTests
{
    [Test]
    public void Form_C_is_that_of_another_implementation()
    {
        var path = Path.Combine(SharedData.Repository, "tests", "Runtime.Tests", "Tokenizers", "NormalizationCases.json");
        using var cases = JsonDocument.Parse(File.ReadAllBytes(path));
        Assert.Multiple(() =>
        {
            foreach (var row in cases.RootElement.EnumerateArray())
                Assert.That(UnicodeNormalization.ToFormC(row[0].GetString()!), Is.EqualTo(row[1].GetString()), row[0].GetRawText());
        });
    }
}
