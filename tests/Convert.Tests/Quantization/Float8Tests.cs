using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Quantization;
using Weft.Convert.Tests.Support;
using Weft.Reference;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert.Tests.Quantization;

/// <summary>Checkpoints in eight-bit floating point: every number is its code times its scale, however scales are stored and whatever a family makes of the matrix.</summary>
[TestFixture]
public sealed class Float8Tests
{
    private const int BlockRows = 3;
    private const int BlockColumns = 5;

    private static readonly string[] Layouts = ["tensor", "channel", "channel without columns", "block"];

    [TestCaseSource(nameof(Layouts))]
    public void Every_number_is_its_code_times_its_scale(string layout)
    {
        using var scratch = new ScratchFolder();
        var (checkpoint, numbers) = Source(layout);
        checkpoint.Write(scratch["model"]);
        using var file = Conversion.Convert(scratch["model"], DataType.Float32);
        var family = FamilyCatalog.Find(ConfigFile.Open(Path.Combine(scratch["model"], "config.json"))).Family;
        var seen = 0;
        foreach (var tensor in file.Header.Tensors)
        {
            if (!numbers.TryGetValue(family.SourceName(tensor.Name), out var expected))
                continue;
            Assert.That(MemoryMarshal.Cast<byte, float>(file.Bytes(tensor, 0, (int)tensor.Length)).ToArray(), Is.EqualTo(expected), tensor.Name);
            seen++;
        }

        Assert.That(seen, Is.EqualTo(numbers.Count).And.EqualTo(7 * TinyCheckpoint.Layers));
    }

    [TestCaseSource(nameof(Layouts))]
    public void Scales_stay_with_their_numbers_in_every_view(string layout)
    {
        using var scratch = new ScratchFolder();
        var (checkpoint, numbers) = Source(layout);
        checkpoint.Write(scratch["model"]);
        const string Name = "model.layers.1.mlp.gate_proj.weight";
        var stored = Float8Weights.Attach(Checkpoint.Open(scratch["model"]), ConfigFile.Open(Path.Combine(scratch["model"], "config.json"))).Tensors[Name];
        var (m, k) = (TinyCheckpoint.Intermediate, TinyCheckpoint.Hidden);
        float At(int row, int column) => numbers[Name][(row * k) + column];
        Check(stored.Transpose(0, 1), [.. from column in Enumerable.Range(0, k) from row in Enumerable.Range(0, m) select At(row, column)]);
        Check(stored.Narrow(0, 4, 7), [.. from row in Enumerable.Range(4, 7) from column in Enumerable.Range(0, k) select At(row, column)]);
        Check(stored.Narrow(1, 3, 4), [.. from row in Enumerable.Range(0, m) from column in Enumerable.Range(3, 4) select At(row, column)]);
        // Pairs of neighbours that turn, as they become halves.
        Check(stored.Split(0, 6).Split(1, 2).Transpose(1, 2),
            [.. from head in Enumerable.Range(0, 2) from side in Enumerable.Range(0, 2) from pair in Enumerable.Range(0, 3) from column in Enumerable.Range(0, k) select At((head * 6) + (pair * 2) + side, column)]);

        static void Check(StoredTensor view, float[] expected)
        {
            using var reader = new TensorReader();
            var bytes = reader.Read(new("view", [], DataType.Float32, new TensorSource(view))).SelectMany(piece => piece.Bytes.ToArray()).ToArray();
            Assert.That(MemoryMarshal.Cast<byte, float>(bytes).ToArray(), Is.EqualTo(expected));
        }
    }

    [TestCase("float16", DataType.Float16)]
    [TestCase("bfloat16", DataType.BFloat16)]
    [TestCase("float32", DataType.BFloat16)]
    [TestCase(null, DataType.BFloat16)]
    public void They_become_numbers_of_the_type_that_the_config_names(string? name, DataType type)
    {
        var (checkpoint, _) = Source("channel");
        checkpoint.Config["torch_dtype"] = name;
        Assert.That(Conversion.Header(checkpoint).Tensors.Single(tensor => tensor.Name == "layers.0.attention.query.weight").DataType, Is.EqualTo(type));
    }

    [Test]
    public void They_can_be_rounded_to_four_bits()
    {
        using var scratch = new ScratchFolder();
        var (checkpoint, numbers) = Source("block");
        checkpoint.Write(scratch["model"]);
        Converter.Convert(new(scratch["model"], scratch["int4.weft"], GroupSize: -1));
        using var file = WeftFile.Open(scratch["int4.weft"]);
        var tensor = file.Find("layers.0.attention.query.weight");
        Assert.That(tensor.DataType, Is.EqualTo(DataType.Int4));
        var (unpacked, expected) = (PackedWeights.Read(file, tensor), numbers["model.layers.0.self_attn.q_proj.weight"]);
        var step = 2 * expected.Max(Math.Abs) / 15;
        for (var i = 0; i < expected.Length; i++)
            Assert.That(unpacked[i / TinyCheckpoint.Hidden, i % TinyCheckpoint.Hidden], Is.EqualTo(expected[i]).Within(1.01 * step));
    }

    [Test]
    public void Scales_of_activations_and_of_the_cache_are_left_out()
    {
        var (checkpoint, _) = Source("tensor");
        checkpoint.Tensors.Add(TinyTensor.Random("model.layers.0.self_attn.q_proj.input_scale", [1], 1));
        checkpoint.Tensors.Add(TinyTensor.Random("model.layers.0.self_attn.k_scale", [1], 1));
        Assert.That(Conversion.Header(checkpoint).Tensors, Has.Count.EqualTo(3 + (9 * TinyCheckpoint.Layers)));
    }

    [Test]
    public void A_missing_scale_is_named()
    {
        var (checkpoint, _) = Source("channel");
        checkpoint.Tensors.RemoveAll(tensor => tensor.Name == "model.layers.1.mlp.up_proj.weight_scale");
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("'model.layers.1.mlp.up_proj.weight' holds numbers of 8 bits, but 'model.layers.1.mlp.up_proj.weight_scale' and"));
    }

    [Test]
    public void Scales_of_another_shape_are_named()
    {
        var (checkpoint, _) = Source("block");
        checkpoint.Config["quantization_config"]!["weight_block_size"] = new JsonArray(4, 5);
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("_scale_inv' has the shape [3, 2], which are no scales of [8, 8] numbers in blocks of [4, 5]"));
    }

    [Test]
    public void A_number_and_a_scale_that_are_none_are_named()
    {
        var (checkpoint, _) = Source("channel");
        checkpoint.Replace("model.layers.0.self_attn.o_proj.weight", tensor => tensor with { Bytes = [.. tensor.Bytes[..11], 0xFF, .. tensor.Bytes[12..]] });
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("'model.layers.0.self_attn.o_proj.weight' holds NaN or infinity at [1, 3]"));
        (checkpoint, _) = Source("channel");
        checkpoint.Replace("model.layers.0.self_attn.o_proj.weight_scale", tensor => tensor with { Bytes = [.. tensor.Bytes[..^4], .. BitConverter.GetBytes(float.NaN)] });
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain("o_proj.weight_scale' holds a scale that is NaN or infinity at element 7"));
    }

    [TestCase("format", "\"pack-quantized\"", "compressed-tensors with 8 bits of type 'float' is not supported")]
    [TestCase("config_groups", "{\"group_0\":{\"weights\":{\"num_bits\":8,\"type\":\"int\"}}}", "the format 'float-quantized' of compressed-tensors is not supported")]
    [TestCase("config_groups", "{\"group_0\":{\"weights\":{\"num_bits\":8,\"type\":\"float\",\"symmetric\":false}}}", "the format 'float-quantized' of compressed-tensors is not supported")]
    public void Other_layouts_of_compressed_tensors_are_refused(string member, string value, string message)
    {
        var (checkpoint, _) = Source("channel");
        checkpoint.Config["quantization_config"]![member] = JsonNode.Parse(value);
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain(message));
    }

    /// <summary>Every projection of a Llama in random codes, with the numbers that they stand for, rounded once to float32.</summary>
    private static (TinyCheckpoint Checkpoint, Dictionary<string, float[]> Numbers) Source(string layout)
    {
        var random = new Random(3);
        var checkpoint = new TinyCheckpoint();
        checkpoint.Config["quantization_config"] = layout == "block"
            ? new JsonObject { ["quant_method"] = "fp8", ["fmt"] = "e4m3", ["weight_block_size"] = new JsonArray(BlockRows, BlockColumns) }
            : JsonNode.Parse("""{"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"group_0":{"weights":{"num_bits":8,"type":"float","symmetric":true}}}}""");
        var numbers = new Dictionary<string, float[]>();
        foreach (var dense in checkpoint.Tensors.Where(tensor => tensor.Name.Contains("_proj", StringComparison.Ordinal)).ToList())
        {
            var (m, k) = (dense.Shape[0], dense.Shape[1]);
            var codes = Enumerable.Range(0, m * k).Select(_ => (byte)(random.Next(127) + (128 * random.Next(2)))).ToArray();
            var (rows, columns) = layout switch { "tensor" => (m, k), "block" => (BlockRows, BlockColumns), _ => (1, k) };
            var (down, across) = ((m + rows - 1) / rows, (k + columns - 1) / columns);
            var scales = Enumerable.Range(0, down * across).Select(_ => random.NextSingle() + 0.1f).ToArray();
            checkpoint.Replace(dense.Name, _ => new(dense.Name, "F8_E4M3", dense.Shape, codes));
            checkpoint.Tensors.Add(new(
                dense.Name + (layout == "block" ? "_scale_inv" : "_scale"), "F32", layout switch { "tensor" => [], "channel without columns" => [down], _ => [down, across] }, MemoryMarshal.AsBytes(scales.AsSpan()).ToArray()));
            numbers[dense.Name] = [.. codes.Select((code, i) => (float)NumberFormats.FromFloat8(code) * scales[(i / k / rows * across) + (i % k / columns)])];
        }

        return (checkpoint, numbers);
    }
}
