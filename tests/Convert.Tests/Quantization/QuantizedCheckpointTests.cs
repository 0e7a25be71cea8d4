using Weft.Convert.Families;
using Weft.Convert.Tests.Support;
using Weft.Reference;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert.Tests.Quantization;

/// <summary>Checkpoints in integers: every number arrives where docs/format.md says, and nothing else is taken for one.</summary>
[TestFixture]
public sealed class QuantizedCheckpointTests
{
    private static readonly QuantizedCase[] Cases =
    [
        new("gptq", 4, 64), new("gptq", 4, 32), new("gptq", 4, -1), new("gptq", 4, 64, Symmetric: true), new("gptq", 4, 32, ActOrder: true),
        new("gptq", 8, 64), new("gptq", 8, 32, Symmetric: true), new("gptq", 8, -1, ActOrder: false), new("gptq", 8, 64, ActOrder: true),
        new("gptq", 3, 32), new("gptq", 3, -1, Symmetric: true), new("gptq", 3, 64, ActOrder: true), new("gptq", 2, 64),
        new("awq", 4, 64), new("awq", 4, 32), new("awq", 4, -1),
        new("packed", 4, 32, Symmetric: true), new("packed", 4, -1, Symmetric: true), new("packed", 8, 64, Symmetric: true), new("packed", 4, 32, Symmetric: true, ActOrder: true),
        new("bytes", 8, -1, Symmetric: true), new("bytes", 8, 32, Symmetric: true), new("bitsandbytes", 8, -1, Symmetric: true),
    ];

    private static readonly QuantizedCase Plain = new("gptq", 4, 64);

    [TestCaseSource(nameof(Cases))]
    public void Every_weight_is_the_checkpoint_s(object how)
    {
        var source = new QuantizedCheckpoint((QuantizedCase)how);
        using var scratch = new ScratchFolder();
        using var file = Converted(source, scratch);
        var family = FamilyCatalog.Find(ConfigFile.Open(Path.Combine(scratch["source"], "config.json"))).Family;
        var seen = 0;
        foreach (var tensor in file.Header.Tensors.Where(tensor => tensor.Quantization is not null))
        {
            var expected = source.Numbers[family.SourceName(tensor.Name)[..^".weight".Length]];
            var unpacked = PackedWeights.Read(file, tensor);
            for (var row = 0; row < expected.Rows; row++)
            {
                for (var column = 0; column < expected.Columns; column++)
                    Assert.That(unpacked[row, column], Is.EqualTo(expected.Weight(row, column)), $"{tensor.Name} [{row}, {column}]");
            }

            seen++;
        }

        Assert.That(seen, Is.EqualTo(source.Numbers.Count));
    }

    [TestCaseSource(nameof(Cases))]
    public void Rows_of_fused_matrices_keep_their_codes(object how)
    {
        string[] parts = [".q_proj", ".k_proj", ".v_proj"];
        var source = new QuantizedCheckpoint((QuantizedCase)how, name => parts.Aggregate(name, (n, part) => n.Replace(part, ".qkv_proj", StringComparison.Ordinal))
            .Replace("mlp.gate_proj", "mlp.gate_up_proj", StringComparison.Ordinal).Replace("mlp.up_proj", "mlp.gate_up_proj", StringComparison.Ordinal));
        source.Checkpoint.Config["architectures"] = new System.Text.Json.Nodes.JsonArray("Phi3ForCausalLM");
        using var scratch = new ScratchFolder();
        using var file = Converted(source, scratch);
        var qkv = source.Numbers["model.layers.1.self_attn.qkv_proj"];
        AssertRows(file, "layers.1.attention.query", qkv, row => row);
        AssertRows(file, "layers.1.attention.key", qkv, row => QuantizedCheckpoint.Hidden + row);
        AssertRows(file, "layers.1.attention.value", qkv, row => QuantizedCheckpoint.Hidden + QuantizedCheckpoint.KeyValue + row);
        var gateUp = source.Numbers["model.layers.0.mlp.gate_up_proj"];
        AssertRows(file, "layers.0.feed_forward.gate", gateUp, row => row);
        AssertRows(file, "layers.0.feed_forward.up", gateUp, row => QuantizedCheckpoint.Intermediate + row);
    }

    [TestCaseSource(nameof(Cases))]
    public void Rows_of_neighbours_that_turn_are_brought_into_halves(object how)
    {
        var source = new QuantizedCheckpoint((QuantizedCase)how);
        source.Checkpoint.Config["architectures"] = new System.Text.Json.Nodes.JsonArray("CohereForCausalLM");
        source.Checkpoint.Tensors.RemoveAll(tensor => tensor.Name.Contains("post_attention", StringComparison.Ordinal));
        using var scratch = new ScratchFolder();
        using var file = Converted(source, scratch);
        const int HeadSize = QuantizedCheckpoint.Hidden / 2;
        AssertRows(
            file, "layers.1.attention.query", source.Numbers["model.layers.1.self_attn.q_proj"],
            row => (row / HeadSize * HeadSize) + (row % (HeadSize / 2) * 2) + (row % HeadSize / (HeadSize / 2)));
        AssertRows(file, "layers.1.attention.value", source.Numbers["model.layers.1.self_attn.v_proj"], row => row);
    }

    [Test]
    public void A_fused_matrix_of_another_height_is_refused()
    {
        var source = new QuantizedCheckpoint(Plain, name => name.Replace("mlp.gate_proj", "mlp.gate_up_proj", StringComparison.Ordinal)
            .Replace("mlp.up_proj", "mlp.gate_up_proj", StringComparison.Ordinal).Replace("q_proj", "qkv_proj", StringComparison.Ordinal));
        source.Checkpoint.Config["architectures"] = new System.Text.Json.Nodes.JsonArray("Phi3ForCausalLM");
        source.Checkpoint.Config["intermediate_size"] = 128;
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain("gate_up_proj").And.Contain("256 rows"));
    }

    [Test]
    public void Version_2_of_the_layout_stores_zero_points_as_they_are()
    {
        using var scratch = new ScratchFolder();
        var source = new QuantizedCheckpoint(Plain);
        source.Quantization["checkpoint_format"] = "gptq_v2";
        using var file = Converted(source, scratch);
        var tensor = file.Find("layers.0.attention.query.weight");
        var expected = source.Numbers["model.layers.0.self_attn.q_proj"];
        // What was written is one less than the zero point.
        Assert.That(PackedWeights.Read(file, tensor)[3, 5], Is.EqualTo((expected.Codes[3, 5] - (expected.ZeroPoints[3, 0] - 1)) * (double)expected.Scales[3, 0]));
    }

    [Test]
    public void What_older_tools_wrote_beside_config_json_is_read()
    {
        using var scratch = new ScratchFolder();
        var source = new QuantizedCheckpoint(Plain);
        var text = source.Quantization.ToJsonString();
        source.Checkpoint.Config.Remove("quantization_config");
        source.Checkpoint.Write(scratch["source"]);
        File.WriteAllText(Path.Combine(scratch["source"], "quantize_config.json"), text);
        Converter.Convert(new(scratch["source"], scratch["a.weft"]));
        using var file = WeftFile.Open(scratch["a.weft"]);
        Assert.That(file.Find("layers.0.attention.query.weight").DataType, Is.EqualTo(DataType.Int4));
    }

    [Test]
    public void A_matrix_that_was_left_alone_stays_dense()
    {
        using var scratch = new ScratchFolder();
        var source = new QuantizedCheckpoint(Plain);
        const string Name = "model.layers.1.mlp.down_proj";
        source.Checkpoint.Tensors.RemoveAll(tensor => tensor.Name.StartsWith(Name, StringComparison.Ordinal));
        source.Checkpoint.Tensors.Add(TinyTensor.Random(Name + ".weight", [QuantizedCheckpoint.Hidden, 192], 1));
        using var file = Converted(source, scratch);
        Assert.That(file.Find("layers.1.feed_forward.down.weight").DataType, Is.EqualTo(DataType.BFloat16));
        Assert.That(file.Find("layers.0.feed_forward.down.weight").DataType, Is.EqualTo(DataType.Int4));
    }

    [TestCase("quant_method", "\"squeezellm\"", "the quantization 'squeezellm' is not supported; supported are gptq with 2, 3, 4 or 8 bits, awq")]
    [TestCase("quant_method", "null", "'quantization_config.quant_method' is missing")]
    [TestCase("bits", "5", "GPTQ with 5 bits is not supported")]
    [TestCase("bits", "3", "qweight' has the shape [8, 64], but 3 bits and 1 groups of 64 columns ask for [6, 64]")]
    [TestCase("bits", "8", "qweight' has the shape [8, 64], but 8 bits and 1 groups of 64 columns ask for [16, 64]")]
    [TestCase("group_size", "0", "'group_size' is 0")]
    [TestCase("group_size", "48", "64 columns in groups of 48; a group can have 32")]
    [TestCase("group_size", "32", "qzeros' has the shape [1, 8], but 4 bits and 2 groups of 32 columns ask for [2, 8]")]
    [TestCase("checkpoint_format", "\"marlin\"", "the GPTQ layout 'marlin' is not supported")]
    public void A_config_that_contradicts_or_is_not_supported_is_refused(string member, string value, string message)
    {
        var source = new QuantizedCheckpoint(Plain);
        source.Quantization[member] = System.Text.Json.Nodes.JsonNode.Parse(value);
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain(message));
    }

    [TestCase("version", "\"gemv\"", "the AWQ layout 'gemv' is not supported")]
    [TestCase("bits", "8", "AWQ with 8 bits is not supported")]
    [TestCase("zero_point", "false", "'zero_point' is false in the config, but tensor 'model.layers.0.self_attn.q_proj.qzeros' holds a zero point of ")]
    public void An_awq_config_that_contradicts_or_is_not_supported_is_refused(string member, string value, string message)
    {
        var source = new QuantizedCheckpoint(new("awq", 4, 64));
        source.Quantization[member] = System.Text.Json.Nodes.JsonNode.Parse(value);
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain(message));
    }

    [TestCase("format", "\"marlin-24\"", "the format 'marlin-24' of compressed-tensors is not supported; supported are")]
    [TestCase("config_groups", """{"a":{"weights":{"num_bits":4,"type":"int","symmetric":false}}}""", "compressed-tensors with 4 bits of type 'int' is not supported unless all are symmetric")]
    [TestCase("config_groups", """{"a":{"weights":{"num_bits":4,"type":"float"}}}""", "compressed-tensors with 4 bits of type 'float' is not supported")]
    [TestCase("config_groups", """{"a":{"weights":{"num_bits":4,"type":"int"}},"b":{"weights":{"num_bits":8,"type":"int"}}}""", "unless all are symmetric integers")]
    [TestCase("config_groups", """{"a":{"weights":{"num_bits":4,"type":"int","strategy":"block"}}}""", "scales of compressed-tensors for each 'block' are not supported")]
    [TestCase("config_groups", """{"a":{"weights":{"num_bits":8,"type":"int","strategy":"group","group_size":32}}}""", "weight_packed' has the shape [64, 8], but 8 bits and 2 groups of 32 columns ask for [64, 16]")]
    public void A_layout_of_compressed_tensors_that_is_not_supported_is_named(string member, string value, string message)
    {
        var source = new QuantizedCheckpoint(new("packed", 4, 32, Symmetric: true));
        source.Quantization[member] = System.Text.Json.Nodes.JsonNode.Parse(value);
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain(message));
    }

    [Test]
    public void Bitsandbytes_must_have_eight_or_four_bits()
    {
        var source = new QuantizedCheckpoint(new("bitsandbytes", 8, -1, Symmetric: true));
        source.Quantization["load_in_8bit"] = false;
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain("bitsandbytes with neither 8 nor 4 bits is not supported; supported are"));
    }

    [Test]
    public void Scales_must_be_numbers()
    {
        var source = new QuantizedCheckpoint(new("packed", 4, 32, Symmetric: true));
        source.Checkpoint.Replace("model.layers.0.self_attn.o_proj.weight_scale", tensor => tensor with { Type = "I16" });
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain("o_proj.weight_scale' holds Int16, but numbers are expected"));
    }

    [TestCase("scales")]
    [TestCase("qzeros")]
    public void A_missing_part_is_named(string part)
    {
        var source = new QuantizedCheckpoint(Plain);
        source.Checkpoint.Tensors.Remove(source.Checkpoint[$"model.layers.0.self_attn.o_proj.{part}"]);
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain($"'model.layers.0.self_attn.o_proj' is quantized, but its tensor '{part}' is missing"));
    }

    [TestCase((ushort)0, "0")]
    [TestCase((ushort)0x7C00, "Infinity")]
    public void A_scale_that_is_none_is_named(ushort bits, string text)
    {
        var source = new QuantizedCheckpoint(Plain);
        source.Checkpoint.Replace("model.layers.0.self_attn.o_proj.scales", tensor =>
        {
            var bytes = tensor.Bytes.ToArray();
            BitConverter.GetBytes(bits).CopyTo(bytes, 2 * 7);
            return tensor with { Bytes = bytes };
        });
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain($"o_proj.scales' holds a scale of {text} at [0, 7]"));
    }

    [Test]
    public void Columns_out_of_order_contradict_a_config_without_act_order()
    {
        var source = new QuantizedCheckpoint(new("gptq", 4, 32, ActOrder: true));
        source.Quantization["desc_act"] = false;
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain("g_idx").And.Contain("desc_act false"));
    }

    [Test]
    public void Groups_of_uneven_size_are_named()
    {
        var source = new QuantizedCheckpoint(new("gptq", 4, 32, ActOrder: true));
        source.Checkpoint.Replace("model.layers.0.self_attn.q_proj.g_idx", tensor => tensor with { Bytes = new byte[tensor.Bytes.Length] });
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain("g_idx' puts 64 columns into group 0; 2 groups of 32 are expected"));
    }

    [Test]
    public void What_is_quantized_already_is_not_quantized_again()
    {
        using var scratch = new ScratchFolder();
        new QuantizedCheckpoint(Plain).Checkpoint.Write(scratch["source"]);
        Assert.That(
            () => Converter.Convert(new(scratch["source"], scratch["a.weft"], GroupSize: 64)),
            Throws.TypeOf<WeftException>().With.Message.Contains("quantized already"));
    }

    private static void AssertRows(WeftFile file, string name, QuantizedNumbers source, Func<int, int> sourceRow)
    {
        var tensor = file.Find(name + ".weight");
        var unpacked = PackedWeights.Read(file, tensor);
        for (var row = 0; row < tensor.Shape[0]; row++)
        {
            for (var column = 0; column < tensor.Shape[1]; column++)
                Assert.That(unpacked[row, column], Is.EqualTo(source.Weight(sourceRow(row), column)), $"{name} [{row}, {column}]");
        }
    }

    private static WeftFile Converted(QuantizedCheckpoint source, ScratchFolder scratch)
    {
        source.Checkpoint.Write(scratch["source"]);
        Converter.Convert(new(scratch["source"], scratch["a.weft"]));
        var file = WeftFile.Open(scratch["a.weft"]);
        file.Verify();
        return file;
    }
}
