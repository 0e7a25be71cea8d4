using System.Text;
using System.Text.Json;
using Weft.Models;
using Weft.Reference;
using Weft.Weights;

namespace Weft.Runtime.Tests.Weights;

/// <summary>
/// docs/format.md against the code: a file written from the page's numbers alone is read, and a written file is what the page says.
/// Nothing here uses the format's own classes where the page should suffice.
/// </summary>
[TestFixture]
public sealed class FormatPageTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("weft-tests-").FullName;

    [TearDown]
    public void DeleteFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void A_file_written_from_the_page_is_read()
    {
        // V = 3, C = 2, no layers, a head of its own.
        float[][] tensors = [[1, 2, 3, 4, 5, 6], [7, 8], [9, 10, 11, 12, 13, 14]];
        var data = tensors.Select(values => values.SelectMany(BitConverter.GetBytes).ToArray()).ToArray();
        string Json(long first) => $$"""
            {"model":{"vocabulary_size":3,"hidden_size":2,"context_length":8,"layers":[],
            "final_norm":{"kind":"rms","epsilon":0.00001},"head":{"tied":false} },
            "tokenizer":{"model":{"tokens":"{{System.Convert.ToBase64String([2, 0, (byte)'a', 0, 0, 3, 0, 0xC3, 0xA9])}}","scores":"{{System.Convert.ToBase64String([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0xBF])}}"} },
            "provenance":{"architecture":"by hand","converter":"none","sources":[]},
            "tensors":[
            {"name":"embedding.weight","dtype":"f32","layout":"row_major","shape":[3,2],"offset":{{first}},"length":24,"checksum":"{{Crc(data[0]):x8}}"},
            {"name":"final_norm.weight","dtype":"f32","layout":"row_major","shape":[2],"offset":{{first + 4096}},"length":8,"checksum":"{{Crc(data[1]):x8}}"},
            {"name":"head.weight","dtype":"f32","layout":"row_major","shape":[3,2],"offset":{{first + 8192}},"length":24,"checksum":"{{Crc(data[2]):x8}}"}]}
            """;
        var header = Encoding.UTF8.GetBytes(Json(4096));
        var file = new byte[4096 + 8192 + 24];
        byte[] start = [0x57, 0x45, 0x46, 0x54, 3, 0, 0, 0, .. BitConverter.GetBytes((ulong)header.Length), .. BitConverter.GetBytes(Crc(header)), 0, 0, 0, 0];
        start.CopyTo(file, 0);
        header.CopyTo(file, 24);
        for (var i = 0; i < 3; i++)
            data[i].CopyTo(file, 4096 + (i * 4096));
        var path = Path.Combine(folder, "page.weft");
        File.WriteAllBytes(path, file);

        using var weft = WeftFile.Open(path);
        weft.Verify();
        Assert.Multiple(() =>
        {
            Assert.That(weft.Header.Model.VocabularySize, Is.EqualTo(3));
            Assert.That(weft.Header.Tokenizer!.Model.Tokens, Is.EqualTo(new[] { "a", null, "é" }));
            Assert.That(weft.Header.Tokenizer!.Model.Scores, Is.EqualTo(new[] { 0.0, 0.0, -1.0 }));
            Assert.That(weft.Bytes(weft.Find("final_norm.weight"), 0, 8).ToArray(), Is.EqualTo(data[1]));
            Assert.That(weft.Bytes(weft.Find("head.weight"), 20, 4).ToArray(), Is.EqualTo(BitConverter.GetBytes(14f)));
        });
    }

    [Test]
    public void A_written_file_is_what_the_page_says()
    {
        using var model = TinyModel.Create(TinyModel.Describe(bias: true, window: 5, scaling: new RotaryScaling
        {
            Kind = RotaryScalingKind.Llama3, Factor = 8, OriginalContextLength = 64, LowFrequencyFactor = 1, HighFrequencyFactor = 4,
        }));
        var file = File.ReadAllBytes(model.Path);
        var length = (int)BitConverter.ToUInt64(file, 8);
        var json = file.AsSpan(24, length).ToArray();
        using var header = JsonDocument.Parse(json);
        Assert.Multiple(() =>
        {
            Assert.That(file[..8], Is.EqualTo(new byte[] { 0x57, 0x45, 0x46, 0x54, 3, 0, 0, 0 }));
            Assert.That(BitConverter.ToUInt32(file, 16), Is.EqualTo(Crc(json)));
            Assert.That(BitConverter.ToUInt32(file, 20), Is.Zero);
            var attention = header.RootElement.GetProperty("model").GetProperty("layers")[1].GetProperty("attention");
            Assert.That(attention.GetProperty("query_heads").GetInt32(), Is.EqualTo(4));
            Assert.That(attention.GetProperty("window").GetInt32(), Is.EqualTo(5));
            Assert.That(attention.GetProperty("input_bias").GetBoolean(), Is.True);
            Assert.That(attention.GetProperty("rotary").GetProperty("scaling").GetProperty("kind").GetString(), Is.EqualTo("llama3"));

            long end = 24 + length;
            foreach (var row in header.RootElement.GetProperty("tensors").EnumerateArray())
            {
                var name = row.GetProperty("name").GetString()!;
                var (offset, bytes) = (row.GetProperty("offset").GetInt64(), row.GetProperty("length").GetInt64());
                var size = row.GetProperty("dtype").GetString() == "f32" ? 4 : 2;
                var count = row.GetProperty("shape").EnumerateArray().Aggregate(1L, (product, n) => product * n.GetInt64());
                Assert.That(offset, Is.EqualTo((end + 4095) / 4096 * 4096), name);
                Assert.That(bytes, Is.EqualTo(count * size), name);
                Assert.That(file.AsSpan((int)end, (int)(offset - end)).ToArray(), Has.All.Zero, $"before {name}");
                var data = file.AsSpan((int)offset, (int)bytes).ToArray();
                Assert.That(row.GetProperty("checksum").GetString(), Is.EqualTo($"{Crc(data):x8}"), name);
                end = offset + bytes;
            }

            Assert.That(file, Has.Length.EqualTo(end));
        });
    }

    [Test]
    public void The_checksum_is_the_page_s() => Assert.That(Crc("123456789"u8.ToArray()), Is.EqualTo(0xE3069283));

    /// <summary>CRC-32C bit by bit, from its definition.</summary>
    private static uint Crc(byte[] bytes)
    {
        var crc = 0xFFFFFFFFu;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) * 0x82F63B78); // 0x1EDC6F41 reflected
        }

        return ~crc;
    }
}
