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

    [TestCase("\"layers\":[", "\"layers\":[null,", "format version 3: $.model.layers[0] is no object", TestName = "A null layer")]
    [TestCase("\"tensors\":[", "\"tensors\":[null,", "format version 3: $.tensors[0] is no object", TestName = "A null tensor")]
    [TestCase("\"query_heads\":4", "\"query_heads\":null", "$.model.layers[0].attention.query_heads is missing", TestName = "A null number")]
    [TestCase("\"query_heads\":4", "\"query_heads\":0", "layer 0", TestName = "No query heads")]
    [TestCase("\"query_heads\":4", "\"query_heads\":3", "layer 0", TestName = "Heads that cannot be shared")]
    [TestCase("\"query_heads\":4", "\"query_heads\":4,\"novel_block\":1", "$.model.layers[0].attention.novel_block is not known", TestName = "An unknown member")]
    [TestCase("\"query_heads\":4", "\"query_heads\":4,\"query_heads\":4", "format version 3", TestName = "A member twice")]
    [TestCase("\"kind\":\"rms\"", "\"kind\":\"novel\"", "$.model.layers[0].attention_norm.kind is 'novel', which is no NormKind that is known", TestName = "An unknown norm")]
    [TestCase("\"kind\":\"rms\"", "\"kind\":0", "$.model.layers[0].attention_norm.kind is no text", TestName = "A norm by number")]
    [TestCase("\"kind\":\"rms\"", "\"kind\":\"0\"", "is '0'", TestName = "A norm by number in a word")]
    [TestCase("\"kind\":\"rms\"", "\"kind\":\"Rms\"", "is 'Rms'", TestName = "A norm in capitals")]
    [TestCase("\"kind\":\"rms\"", "\"kind\":\"rms,layer\"", "is 'rms,layer'", TestName = "Two norms")]
    [TestCase("\"query_heads\":4", "\"query_heads\":4.5", "$.model.layers[0].attention.query_heads is no whole number of 32 bits", TestName = "A broken number")]
    [TestCase("\"query_heads\":4", "\"query_heads\":4294967296", "no whole number of 32 bits", TestName = "A number beyond 32 bits")]
    [TestCase("\"query_heads\":4", "\"query_heads\":\"4\"", "no whole number of 32 bits", TestName = "A number as text")]
    [TestCase("\"query_heads\":4", "\"query_heads\":[4]", "no whole number of 32 bits", TestName = "A list for a number")]
    [TestCase("\"name\":\"final_norm.weight\"", "\"name\":\"\\ud800\"", "a text is not Unicode", TestName = "Half a surrogate pair")]
    [TestCase("\"layers\":[", "\"layers\":[[", "format version 3: ", TestName = "Broken JSON")]
    [TestCase("\"dtype\":\"bf16\"", "\"dtype\":\"f8\"", "$.tensors[0].dtype is no data type that is known", TestName = "An unknown type")]
    [TestCase("\"checksum\":\"", "\"checksum\":\"0x", "$.tensors[0].checksum is no eight hexadecimal digits", TestName = "A checksum that is too long")]
    [TestCase("\"dtype\":\"bf16\"", "\"dtype\":\"f32\"", "embedding.weight", TestName = "A type that does not fit the length")]
    [TestCase("\"name\":\"final_norm.weight\"", "\"name\":\"final_norm.bias\"", "final_norm.bias", TestName = "A name that does not belong")]
    [TestCase("\"context_length\":256,", "", "$.model.context_length is missing", TestName = "A required member left out")]
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
            WeftHeaderParser.Parse(Encoding.UTF8.GetBytes(json)) with
            {
                Model = model,
                Tensors = [.. TensorSchema.Of(model).Select(r => new TensorEntry(
                    r.Name, DataType.Float32, TensorLayout.RowMajor, r.Shape, 4096, 4096, 0))],
            },
            WeftJson.Header));

        var exception = Assert.Throws<WeftException>(() => WeftFile.Open(tiny.Path).Dispose());

        Assert.That(exception!.Message, Does.Contain("embedding.weight").And.Contain("no file can hold"));
    }

    [Test]
    public void Zero_points_that_are_fractional_but_not_there_are_refused()
    {
        using var codes = TinyModel.Create(TinyModel.Describe(layers: 1), quantization: new() { GroupSize = 32, ZeroPoints = true, Fractional = true });
        Rewrite(codes.Path, json => ReplaceFirst(json, "\"zero_points\":true,", ""));

        var exception = Assert.Throws<WeftException>(() => WeftFile.Open(codes.Path).Dispose());

        Assert.That(exception!.Message, Does.Contain("has fractional zero points, but no zero points"));
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
