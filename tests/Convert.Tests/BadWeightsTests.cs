using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Tensors;

namespace Weft.Convert.Tests;

/// <summary>Damaged or unfitting weights: each refusal names the file and the tensor, and leaves nothing behind.</summary>
[TestFixture]
public sealed class BadWeightsTests
{
    private const string Query = "model.layers.1.self_attn.q_proj.weight";

    [TestCase(0)]
    [TestCase(7)]
    [TestCase(100)]
    [TestCase(-1)]
    [TestCase(-500)]
    public void A_truncated_file_is_refused(int length)
    {
        var message = Spoilt(bytes => bytes[..(length < 0 ? bytes.Length + length : length)]);
        Assert.That(message, Does.Contain("model.safetensors"));
    }

    [Test]
    public void Bytes_after_the_last_tensor_are_refused() =>
        Assert.That(Spoilt(bytes => [.. bytes, 0, 0]), Does.Contain("model.safetensors").And.Contain("2 bytes follow"));

    [TestCase("\"data_offsets\":[0,160]", "\"data_offsets\":[0,162]")]
    [TestCase("\"data_offsets\":[0,160]", "\"data_offsets\":[160,0]")]
    [TestCase("\"data_offsets\":[0,160]", "\"data_offsets\":[2,162]")]
    [TestCase("\"data_offsets\":[0,160]", "\"data_offsets\":[9223372036854775000,9223372036854775160]")]
    [TestCase("\"data_offsets\":[0,160]", "\"data_offsets\":[-160,0]")]
    [TestCase("\"data_offsets\":[0,160]", "\"data_offsets\":[0]")]
    [TestCase("\"shape\":[10,8]", "\"shape\":[4294967296,4294967296]")]
    [TestCase("\"shape\":[10,8]", "\"shape\":\"none\"")]
    [TestCase("\"dtype\":\"BF16\"", "\"dtype\":\"F4_ODD\"")]
    [TestCase("\"dtype\":\"BF16\"", "\"kind\":\"BF16\"")]
    public void A_header_that_lies_is_refused(string truth, string lie)
    {
        var message = Spoilt(bytes => WithHeader(bytes, header => ReplaceFirst(header, truth, lie)));
        Assert.That(message, Does.Contain("model.safetensors").And.Contain("model.embed_tokens.weight"));
    }

    [TestCase("{")]
    [TestCase("[]")]
    [TestCase("{\"a\":1}")]
    [TestCase("{\"\\ud800\":{}}")]
    public void A_header_that_is_none_is_refused(string header) =>
        Assert.That(Spoilt(bytes => WithHeader(bytes, _ => header)), Does.Contain("model.safetensors"));

    [Test]
    public void A_header_longer_than_the_file_is_refused() => Assert.That(
        Spoilt(bytes =>
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, ulong.MaxValue);
            return bytes;
        }),
        Does.Contain("model.safetensors").And.Contain("header"));

    [Test]
    public void A_missing_shard_is_named()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().WriteSharded(scratch["model"]);
        File.Delete(Path.Combine(scratch["model"], "two.safetensors"));
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain("two.safetensors").And.Contain("does not exist"));
    }

    [TestCase("{\"weight_map\":{\"a\":1}}", "weight_map")]
    [TestCase("{}", "weight_map")]
    [TestCase("nonsense", "JSON")]
    [TestCase("{\"weight_map\":{\"a\":\"../secret.safetensors\"}}", "../secret.safetensors")]
    [TestCase("{\"weight_map\":{\"ghost\":\"one.safetensors\"}}", "ghost")]
    public void A_bad_index_is_refused(string index, string thing)
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().WriteSharded(scratch["model"]);
        File.WriteAllText(Path.Combine(scratch["model"], "model.safetensors.index.json"), index);
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain(scratch["model"]).And.Contain(thing));
    }

    [Test]
    public void A_missing_tensor_is_named()
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Tensors.Remove(checkpoint[Query]);
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("model").And.Contain($"'{Query}' is missing"));
    }

    [TestCase("model.layers.0.self_attn.q_norm.weight")]
    [TestCase("model.layers.2.input_layernorm.weight")]
    [TestCase("extra")]
    public void A_surplus_tensor_is_named(string name)
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Tensors.Add(TinyTensor.Random(name, [TinyCheckpoint.Hidden], 99));
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("model.safetensors").And.Contain($"'{name}'"));
    }

    [Test]
    public void A_wrong_shape_is_named_with_the_expected_one()
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Replace(Query, tensor => TinyTensor.Random(tensor.Name, [4, 16], 1));
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("model.safetensors").And.Contain(Query).And.Contain("[4, 16]").And.Contain("[8, 8]"));
    }

    [Test]
    public void Integers_are_no_weights()
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Replace(Query, tensor => tensor with { Type = "I16" });
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("model.safetensors").And.Contain(Query).And.Contain("Int16"));
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    [TestCase(float.NegativeInfinity)]
    public void A_number_that_is_none_is_named_with_its_place(float value)
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Replace(Query, tensor => tensor.With((5 * TinyCheckpoint.Hidden) + 3, value));
        foreach (var type in new DataType?[] { null, DataType.Float32 })
            Assert.That(Conversion.Refusal(checkpoint, type), Does.Contain("model.safetensors").And.Contain(Query).And.Contain("[5, 3]"));
    }

    [Test]
    public void A_number_too_large_for_f16_is_named_with_its_place()
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Replace(Query, tensor => tensor.With(TinyCheckpoint.Hidden + 7, 70000f));
        Assert.That(Conversion.Refusal(checkpoint, DataType.Float16), Does.Contain("model.safetensors").And.Contain(Query).And.Contain("[1, 7]").And.Contain("f16"));
    }

    /// <summary>What a clone without git-lfs, or a download that failed, leaves under a file's name.</summary>
    [TestCase("model.safetensors")]
    [TestCase("pytorch_model.bin")]
    [TestCase("config.json")]
    [TestCase("tokenizer.model")]
    [TestCase("tokenizer.json")]
    public void A_pointer_of_git_lfs_says_how_to_get_the_file(string name)
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        if (name == "pytorch_model.bin")
            File.Delete(Path.Combine(scratch["model"], "model.safetensors"));
        File.WriteAllText(
            Path.Combine(scratch["model"], name), "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n");
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain($"{name}: ").And.Contain("run 'git lfs pull'"));
    }

    [TestCase("model.safetensors", "<!DOCTYPE html>\n<html><head><title>Not found</title></head></html>", "it is a text that begins with '<!DOCTYPE html> <html><head>")]
    [TestCase("model.safetensors", "Entry not found", "it is a text that begins with 'Entry not found'")]
    [TestCase("model.safetensors", "Größe\n", "it is a text that begins with 'Größe'")]
    [TestCase("model.safetensors", "", "it is empty")]
    [TestCase("pytorch_model.bin", "<!DOCTYPE html><html></html>", "it is a text that begins with '<!DOCTYPE html><html></html>'")]
    [TestCase("pytorch_model.bin", "", "it is empty")]
    public void A_text_in_place_of_the_weights_is_shown(string name, string text, string sentence)
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        File.Delete(Path.Combine(scratch["model"], "model.safetensors"));
        File.WriteAllText(Path.Combine(scratch["model"], name), text);
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain($"{name}: this is not a ").And.Contain(sentence));
    }

    [TestCase("\"shape\":[10,8]", "\"shape\":[10,8],\"shape\":[10,8]")]
    [TestCase("\"shape\":[10,8]", "\"shape\":[[10],8]")]
    [TestCase("\"shape\":[10,8]", "\"shape\":[10.5,8]")]
    [TestCase("\"dtype\":\"BF16\"", "\"dtype\":16")]
    public void A_member_of_a_header_that_is_none_is_refused(string truth, string lie) =>
        Assert.That(Spoilt(bytes => WithHeader(bytes, header => ReplaceFirst(header, truth, lie))), Does.Contain("tensor 'model.embed_tokens.weight' has no valid dtype, shape and data_offsets"));

    [Test]
    public void A_name_that_is_there_twice_is_refused() => Assert.That(
        Spoilt(bytes => WithHeader(bytes, header => ReplaceFirst(header, "\"model.norm.weight\"", "\"lm_head.weight\""))), Does.Contain("unique names"));

    [Test]
    public void Tensors_may_lie_in_another_order_than_the_headers_and_have_further_members()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        var path = Path.Combine(scratch["model"], "model.safetensors");
        var bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, WithHeader(bytes, header =>
        {
            var tensors = JsonNode.Parse(header)!.AsObject();
            tensors["lm_head.weight"]!["note"] = new JsonArray(1, new JsonObject());
            return new JsonObject(tensors.Reverse().Select(tensor => KeyValuePair.Create(tensor.Key, tensor.Value?.DeepClone()))).ToJsonString() + "  ";
        }));
        Assert.That(() => Conversion.Convert(scratch["model"]).Dispose(), Throws.Nothing);
    }

    [Test]
    public void A_folder_without_weights_is_refused()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        File.Delete(Path.Combine(scratch["model"], "model.safetensors"));
        Assert.That(Conversion.Refusal(scratch["model"]), Does.Contain(scratch["model"]).And.Contain("no weights"));
    }

    private static string Spoilt(Func<byte[], byte[]> spoil)
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        var path = Path.Combine(scratch["model"], "model.safetensors");
        File.WriteAllBytes(path, spoil(File.ReadAllBytes(path)));
        return Conversion.Refusal(scratch["model"]);
    }

    private static byte[] WithHeader(byte[] bytes, Func<string, string> change)
    {
        var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        var header = Encoding.UTF8.GetBytes(change(Encoding.UTF8.GetString(bytes, sizeof(ulong), length)));
        return [.. BitConverter.GetBytes((ulong)header.Length), .. header, .. bytes[(sizeof(ulong) + length)..]];
    }

    private static string ReplaceFirst(string text, string old, string replacement)
    {
        var at = text.IndexOf(old, StringComparison.Ordinal);
        Assert.That(at, Is.GreaterThanOrEqualTo(0), $"the test's {old} is not in the header");
        return text[..at] + replacement + text[(at + old.Length)..];
    }
}
