using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Runtime.Tests.Weights;

/// <summary>Headers whose checksum is right and whose content lies: opening refuses each with a sentence, never with another exception.</summary>
[TestFixture]
public sealed class HostileHeaderTests
{
    private TinyModel tiny = null!;

    [SetUp]
    public void Write() => tiny = TinyModel.Create(TinyModel.Describe(layers: 1));

    [TearDown]
    public void Delete() => tiny.Dispose();

    [TestCase("\"layers\":[", "\"layers\":[null,", "empty place", TestName = "A null layer")]
    [TestCase("\"tensors\":[", "\"tensors\":[null,", "empty place", TestName = "A null tensor")]
    [TestCase("\"query_heads\":4", "\"query_heads\":null", "format version 1", TestName = "A null number")]
    [TestCase("\"query_heads\":4", "\"query_heads\":0", "layer 0", TestName = "No query heads")]
    [TestCase("\"query_heads\":4", "\"query_heads\":3", "layer 0", TestName = "Heads that cannot be shared")]
    [TestCase("\"query_heads\":4", "\"query_heads\":4,\"novel_block\":1", "format version 1", TestName = "An unknown member")]
    [TestCase("\"query_heads\":4", "\"query_heads\":4,\"query_heads\":4", "format version 1", TestName = "A member twice")]
    [TestCase("\"kind\":\"rms\"", "\"kind\":\"novel\"", "format version 1", TestName = "An unknown norm")]
    [TestCase("\"kind\":\"rms\"", "\"kind\":0", "format version 1", TestName = "A norm by number")]
    [TestCase("\"dtype\":\"bf16\"", "\"dtype\":\"f32\"", "embedding.weight", TestName = "A type that does not fit the length")]
    [TestCase("\"name\":\"final_norm.weight\"", "\"name\":\"final_norm.bias\"", "final_norm.bias", TestName = "A name that does not belong")]
    [TestCase("\"context_length\":256,", "", "format version 1", TestName = "A required member left out")]
    public void A_lying_header_is_refused(string old, string replacement, string expected)
    {
        Rewrite(tiny.Path, json => ReplaceFirst(json, old, replacement));

        var exception = Assert.Throws<WeftException>(() => WeftFile.Open(tiny.Path).Dispose());

        Assert.That(exception!.Message, Does.StartWith(tiny.Path).And.Contain(expected));
    }

    [Test]
    public void A_shape_beyond_64_bits_is_refused()
    {
        var model = TinyModel.Describe(layers: 1, vocabulary: int.MaxValue, hidden: int.MaxValue);
        Rewrite(tiny.Path, json => JsonSerializer.Serialize(
            JsonSerializer.Deserialize(json, WeftJson.Header)! with
            {
                Model = model,
                Tensors = [.. TensorSchema.Of(model).Select(r => new TensorEntry(
                    r.Name, DataType.Float32, TensorLayout.RowMajor, r.Shape, 4096, 4096, 0))],
            },
            WeftJson.Header));

        var exception = Assert.Throws<WeftException>(() => WeftFile.Open(tiny.Path).Dispose());

        Assert.That(exception!.Message, Does.Contain("embedding.weight").And.Contain("no file can hold"));
    }

    // Exchanges the header for an edited one with a true length and checksum.
    private static void Rewrite(string path, Func<string, string> edit)
    {
        var file = File.ReadAllBytes(path);
        var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(8));
        var before = Encoding.UTF8.GetString(file, 24, length);
        var after = edit(before);
        Assert.That(after, Is.Not.EqualTo(before));
        var json = Encoding.UTF8.GetBytes(after);
        Array.Resize(ref file, Math.Max(file.Length, 24 + json.Length));
        json.CopyTo(file, 24);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(8), (ulong)json.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(16), Crc32C.Compute(json));
        File.WriteAllBytes(path, file);
    }

    private static string ReplaceFirst(string text, string old, string replacement)
    {
        var at = text.IndexOf(old, StringComparison.Ordinal);
        Assert.That(at, Is.GreaterThanOrEqualTo(0), $"the header does not contain {old}");
        return text[..at] + replacement + text[(at + old.Length)..];
    }
}
