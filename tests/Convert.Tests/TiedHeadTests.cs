using System.Buffers.Binary;
using System.Text.Json;
using Weft.Reference;

namespace Weft.Convert.Tests;

/// <summary>A head that is stored although it is tied: a repetition of the embedding is left out, anything else is an error.</summary>
[TestFixture]
public sealed class TiedHeadTests
{
    private string folder = null!;

    [SetUp]
    public void Copy()
    {
        folder = Directory.CreateTempSubdirectory("weft-tests-").FullName;
        var golden = SharedData.TryFind("goldens/llama3");
        if (golden is null)
            Assert.Ignore("the reference checkpoints are not here (shared/goldens)");
        File.Copy(Path.Combine(golden!, "config.json"), Path.Combine(folder, "config.json"));
        File.Copy(Path.Combine(golden!, "model.safetensors"), Weights);
        MakeWritable(Weights);
    }

    [TearDown]
    public void Delete() => Directory.Delete(folder, recursive: true);

    private string Weights => Path.Combine(folder, "model.safetensors");

    private string Output => Path.Combine(folder, "out.weft");

    [Test]
    public void A_head_equal_to_the_embedding_is_left_out()
    {
        var plain = Converter.Convert(new(folder, Output, null)).Tensors;
        AppendHead(change: false);

        Assert.That(Converter.Convert(new(folder, Output, null)).Tensors, Is.EqualTo(plain));
    }

    [Test]
    public void A_head_unlike_the_embedding_is_refused()
    {
        AppendHead(change: true);

        var exception = Assert.Throws<WeftException>(() => Converter.Convert(new(folder, Output, null)));

        Assert.That(exception!.Message, Does.Contain(Weights).And.Contain("'lm_head.weight' differs"));
        Assert.That(File.Exists(Output), Is.False);
    }

    // Stores the embedding a second time, under the head's name, at the end of the file.
    private void AppendHead(bool change)
    {
        var file = File.ReadAllBytes(Weights);
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        var header = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(file.AsSpan(8, length))!;
        var data = file.AsSpan(8 + length);
        var embedding = header["model.embed_tokens.weight"];
        var offsets = embedding.GetProperty("data_offsets").EnumerateArray().Select(offset => offset.GetInt32()).ToArray();
        var head = data[offsets[0]..offsets[1]].ToArray();
        if (change)
            head[^1] ^= 1;
        header["lm_head.weight"] = JsonSerializer.SerializeToElement(new
        {
            dtype = embedding.GetProperty("dtype").GetString(),
            shape = embedding.GetProperty("shape"),
            data_offsets = new[] { data.Length, data.Length + head.Length },
        });
        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        var start = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(start, json.Length);
        File.WriteAllBytes(Weights, [.. start, .. json, .. data, .. head]);
    }

    private static void MakeWritable(string path) => File.SetAttributes(path, FileAttributes.Normal);
}
