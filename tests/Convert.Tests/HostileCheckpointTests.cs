using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Reference;

namespace Weft.Convert.Tests;

/// <summary>Checkpoints that somebody could make to use up time: an answer within a second. The largest released model has some 100,000 tensors in all of its files.</summary>
[TestFixture]
public sealed class HostileCheckpointTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Test]
    public void Many_tensors_that_nobody_knows_are_refused()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        WriteHeader(scratch["model"], Enumerable.Range(0, 200_000).Select(i => ($"x{i}", "F32", "[1]", 4)), (_, data) => data.Write(new byte[4]));
        Within(scratch["model"], "'model.embed_tokens.weight' is missing");
    }

    [Test]
    public void Many_tensors_that_are_left_over_are_refused()
    {
        using var scratch = new ScratchFolder();
        var checkpoint = new TinyCheckpoint();
        checkpoint.Tensors.AddRange(Enumerable.Range(0, 100_000).Select(i => new TinyTensor($"z.{i}.weight", "F32", [0], [])));
        checkpoint.Write(scratch["model"]);
        Within(scratch["model"], "'z.0.weight' is not part of this architecture");
    }

    /// <summary>Each has its codes, factors, map and description.</summary>
    [Test]
    public void Many_matrices_of_four_bits_are_refused()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint { Config = { ["quantization_config"] = new JsonObject { ["quant_method"] = "bitsandbytes", ["load_in_4bit"] = true } } }.Write(scratch["model"]);
        var state = """{"blocksize": 2, "shape": [2, 1]}"""u8.ToArray();
        (string End, string Type, byte[] Data)[] parts = [("", "U8", new byte[1]), (".absmax", "F32", new byte[4]), (".quant_map", "F32", new byte[64]), (".quant_state.bitsandbytes__nf4", "U8", state)];
        WriteHeader(
            scratch["model"],
            Enumerable.Range(0, 40_000).Select(i => (i, Part: parts[i % 4])).Select(tensor => ($"x{tensor.i / 4}.weight{tensor.Part.End}", tensor.Part.Type, $"[{tensor.Part.Data.Length / (tensor.Part.Type == "F32" ? 4 : 1)}]", tensor.Part.Data.Length)),
            (i, data) => data.Write(parts[i % 4].Data));
        Within(scratch["model"], "'model.embed_tokens.weight' is missing");
    }

    [Test]
    public void A_shape_without_an_end_is_refused()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        WriteHeader(scratch["model"], [("x", "F32", $"[{string.Join(",", Enumerable.Repeat("1", 2_000_000))}]", 4)], (_, data) => data.Write(new byte[4]));
        Within(scratch["model"], "tensor 'x' has no valid dtype, shape and data_offsets");
    }

    [TestCase("LlamaForCausalLM")]
    [TestCase("NobodysForCausalLM")]
    public void A_config_of_many_members_is_refused(string architecture)
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        File.WriteAllText(
            Path.Combine(scratch["model"], "config.json"), $"{{\"architectures\":[\"{architecture}\"],{string.Join(",", Enumerable.Range(0, 200_000).Select(i => $"\"member{i}\":{i}"))}}}");
        Within(scratch["model"], "config.json: it has more than 4096 members");
    }

    [Test]
    public void A_text_model_of_many_members_is_refused()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint().Write(scratch["model"]);
        File.WriteAllText(Path.Combine(scratch["model"], "config.json"), $"{{\"text_config\":{{{string.Join(",", Enumerable.Range(0, 200_000).Select(i => $"\"member{i}\":{i}"))}}}}}");
        Within(scratch["model"], "config.json: it has more than 4096 members");
    }

    /// <summary>What a config says wrong is found by trying others, which a long list in it must not make slow.</summary>
    [Test]
    public void A_contradiction_beside_long_lists_is_named()
    {
        using var scratch = new ScratchFolder();
        new TinyCheckpoint { Config = { ["vocab_size"] = 11, ["id2label"] = new JsonObject(Enumerable.Range(0, 100_000).Select(i => KeyValuePair.Create($"{i}", (JsonNode?)i))) } }.Write(scratch["model"]);
        Within(scratch["model"], "(vocab_size 11)");
    }

    [Test]
    public void Types_of_more_layers_than_there_are_are_refused()
    {
        using var scratch = new ScratchFolder();
        var types = new JsonArray([.. Enumerable.Repeat(0, 300_000).Select(_ => JsonValue.Create("full_attention"))]);
        new TinyCheckpoint { Config = { ["architectures"] = new JsonArray("Gemma2ForCausalLM"), ["num_hidden_layers"] = 2000, ["layer_types"] = types } }.Write(scratch["model"]);
        Within(scratch["model"], "'layer_types' has 300000 entries, but there are 2000 layers");
    }

    private static void Within(string folder, string sentence)
    {
        var message = "";
        Assert.That(Clock.Shortest(Second, () => message = Conversion.Sentence(() => Converter.Convert(new(folder, folder + ".weft")))), Is.LessThan(Second), message);
        Assert.That(message, Does.Contain(sentence));
    }

    private static void WriteHeader(string folder, IEnumerable<(string Name, string Type, string Shape, int Bytes)> tensors, Action<int, Stream> write)
    {
        var (header, data, count) = (new StringBuilder("{"), new MemoryStream(), 0);
        foreach (var (name, type, shape, bytes) in tensors)
        {
            header.Append(count > 0 ? "," : "").Append($"\"{name}\":{{\"dtype\":\"{type}\",\"shape\":{shape},\"data_offsets\":[{data.Length},{data.Length + bytes}]}}");
            write(count++, data);
        }

        var json = Encoding.UTF8.GetBytes(header.Append('}').ToString());
        var length = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)json.Length);
        File.WriteAllBytes(Path.Combine(folder, "model.safetensors"), [.. length, .. json, .. data.ToArray()]);
    }
}
