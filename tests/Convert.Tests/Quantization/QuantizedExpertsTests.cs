using Weft.Convert.Checkpoints;
using Weft.Convert.Quantization;
using Weft.Convert.Tests.Support;
using Weft.Reference;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert.Tests.Quantization;

/// <summary>Experts that a checkpoint has quantized, each by itself, become one matrix, code by code; and dense ones are rounded.</summary>
[TestFixture]
public sealed class QuantizedExpertsTests
{
    private const int Experts = 3;

    private static readonly QuantizedCase[] Cases =
    [
        new("gptq", 4, 64), new("gptq", 4, 32, Symmetric: true), new("gptq", 4, 32, ActOrder: true), new("gptq", 8, 64), new("gptq", 8, -1, Symmetric: true), new("awq", 4, 64), new("awq", 4, 32),
        new("gptq", 3, 32), new("packed", 4, 32, Symmetric: true), new("bytes", 8, -1, Symmetric: true), new("bitsandbytes", 8, -1, Symmetric: true),
    ];

    [TestCaseSource(nameof(Cases))]
    public void Every_weight_is_the_checkpoint_s(object how)
    {
        var source = new QuantizedCheckpoint((QuantizedCase)how, experts: Experts);
        using var scratch = new ScratchFolder();
        source.Checkpoint.Write(scratch["model"]);
        using var file = Conversion.Convert(scratch["model"]);
        for (var layer = 0; layer < TinyCheckpoint.Layers; layer++)
        {
            Assert.That(file.Find($"layers.{layer}.feed_forward.router.weight").DataType, Is.EqualTo(DataType.BFloat16));
            foreach (var (packed, stored) in new[] { ("gate", "w1"), ("up", "w3"), ("down", "w2") })
            {
                var tensor = file.Find($"layers.{layer}.feed_forward.{packed}.weight");
                var unpacked = PackedWeights.Read(file, tensor);
                for (var row = 0; row < tensor.Shape[0]; row++)
                {
                    var (expert, own) = Math.DivRem(row, tensor.Shape[0] / Experts);
                    var numbers = source.Numbers[$"model.layers.{layer}.block_sparse_moe.experts.{expert}.{stored}"];
                    for (var column = 0; column < tensor.Shape[1]; column++)
                        Assert.That(unpacked[row, column], Is.EqualTo(numbers.Weight(own, column)), $"{tensor.Name} [{row}, {column}]");
                }
            }
        }
    }

    [Test]
    public void Columns_in_orders_of_their_own_are_refused()
    {
        var source = new QuantizedCheckpoint(new("gptq", 4, 32, ActOrder: true), experts: Experts);
        source.Checkpoint.Replace("model.layers.1.block_sparse_moe.experts.2.w3.g_idx", tensor => tensor with { Bytes = [.. tensor.Bytes[4..], .. tensor.Bytes[..4]] });
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain(
            "the columns of 'model.layers.1.block_sparse_moe.experts.2.w3' are in another order than those of 'model.layers.1.block_sparse_moe.experts.0.w3' (act-order)"));
    }

    [Test]
    public void Experts_that_were_left_alone_stay_dense()
    {
        var source = new QuantizedCheckpoint(new("gptq", 4, 64), experts: Experts);
        for (var expert = 0; expert < Experts; expert++)
        {
            var name = $"model.layers.0.block_sparse_moe.experts.{expert}.w2";
            source.Checkpoint.Tensors.RemoveAll(tensor => tensor.Name.StartsWith(name, StringComparison.Ordinal));
            source.Checkpoint.Tensors.Add(TinyTensor.Random(name + ".weight", [QuantizedCheckpoint.Hidden, QuantizedCheckpoint.Intermediate], expert));
        }

        var header = Conversion.Header(source.Checkpoint);
        Assert.That(header.Tensors.Single(tensor => tensor.Name == "layers.0.feed_forward.down.weight").DataType, Is.EqualTo(DataType.BFloat16));
        Assert.That(header.Tensors.Single(tensor => tensor.Name == "layers.1.feed_forward.down.weight").DataType, Is.EqualTo(DataType.Int4));
    }

    [Test]
    public void A_missing_part_is_named()
    {
        var source = new QuantizedCheckpoint(new("awq", 4, 64), experts: Experts);
        source.Checkpoint.Tensors.Remove(source.Checkpoint["model.layers.0.block_sparse_moe.experts.1.w2.scales"]);
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain("'model.layers.0.block_sparse_moe.experts.1.w2' is quantized, but its tensor 'scales' is missing"));
    }

    [Test]
    public void A_missing_expert_is_named()
    {
        var source = new QuantizedCheckpoint(new("awq", 4, 64), experts: Experts);
        source.Checkpoint.Tensors.RemoveAll(tensor => tensor.Name.Contains("layers.1.block_sparse_moe.experts.2.w1", StringComparison.Ordinal));
        Assert.That(Conversion.Refusal(source.Checkpoint), Does.Contain("tensor 'model.layers.1.block_sparse_moe.experts.2.w1.weight' is missing"));
    }

    [Test]
    public void Dense_experts_are_rounded_and_what_chooses_them_is_not()
    {
        using var scratch = new ScratchFolder();
        Dense().Write(scratch["model"]);
        Converter.Convert(new(scratch["model"], scratch["int4.weft"], GroupSize: 32));
        Converter.Convert(new(scratch["model"], scratch["dense.weft"], DataType.Float32));
        using var file = WeftFile.Open(scratch["int4.weft"]);
        using var dense = WeftFile.Open(scratch["dense.weft"]);
        file.Verify();
        Assert.That(file.Find("layers.0.feed_forward.router.weight").DataType, Is.EqualTo(DataType.BFloat16));
        foreach (var name in new[] { "gate", "up", "down" }.Select(part => $"layers.1.feed_forward.{part}.weight"))
        {
            var (tensor, original) = (file.Find(name), dense.Find(name));
            Assert.That(tensor.DataType, Is.EqualTo(DataType.Int4));
            var unpacked = PackedWeights.Read(file, tensor);
            for (var i = 0; i < tensor.Shape[0] * tensor.Shape[1]; i++)
            {
                // Weights lie between −1 and 1: half a step of fifteen, and what rounding the zero point adds at the ends.
                var weight = BitConverter.ToSingle(dense.Bytes(original, i * 4L, 4));
                Assert.That(unpacked[i / tensor.Shape[1], i % tensor.Shape[1]], Is.EqualTo(weight).Within(1.01 * 2 / 15), $"{name} element {i}");
            }
        }
    }

    [Test]
    public void A_matrix_is_rounded_alike_in_parts_of_any_size()
    {
        using var scratch = new ScratchFolder();
        Dense().Write(scratch["model"]);
        var stored = Checkpoint.Open(scratch["model"]).Tensors["model.layers.0.block_sparse_moe.experts.1.w1.weight"];
        var dense = new PlannedTensor("matrix", [.. stored.Shape.Select(size => (int)size)], DataType.BFloat16, new TensorSource(stored));
        var whole = new RoundToNearest(dense, 32);
        var layout = new QuantizedLayout(dense.Shape[0], dense.Shape[1], DataType.Int4, whole.Quantization);
        foreach (var elements in new[] { 1, 20 * dense.Shape[1], 64 * dense.Shape[1] })
            Assert.That(new RoundToNearest(dense, 32, elements).Pack(layout), Is.EqualTo(whole.Pack(layout)), $"{elements} elements at a time");
    }

    /// <summary>A Mixtral of numbers.</summary>
    private static TinyCheckpoint Dense()
    {
        const int Hidden = 64;
        const int Intermediate = 96;
        var checkpoint = new TinyCheckpoint();
        checkpoint.Config["architectures"] = new System.Text.Json.Nodes.JsonArray("MixtralForCausalLM");
        checkpoint.Config["hidden_size"] = Hidden;
        checkpoint.Config["intermediate_size"] = Intermediate;
        checkpoint.Config["num_local_experts"] = Experts;
        checkpoint.Tensors.RemoveAll(tensor => tensor.Name.Contains(".mlp.", StringComparison.Ordinal));
        foreach (var (name, shape) in checkpoint.Tensors.ConvertAll(tensor => (tensor.Name, tensor.Shape)))
        {
            checkpoint.Replace(name, _ => TinyTensor.Random(
                name, [.. shape.Select(size => size switch { TinyCheckpoint.Hidden => Hidden, TinyCheckpoint.KeyValue => Hidden / 2, _ => size })], name.Length));
        }

        for (var layer = 0; layer < TinyCheckpoint.Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.block_sparse_moe.";
            checkpoint.Tensors.Add(TinyTensor.Random(prefix + "gate.weight", [Experts, Hidden], layer));
            for (var expert = 0; expert < Experts; expert++)
            {
                checkpoint.Tensors.Add(TinyTensor.Random($"{prefix}experts.{expert}.w1.weight", [Intermediate, Hidden], expert + 10));
                checkpoint.Tensors.Add(TinyTensor.Random($"{prefix}experts.{expert}.w2.weight", [Hidden, Intermediate], expert + 20));
                checkpoint.Tensors.Add(TinyTensor.Random($"{prefix}experts.{expert}.w3.weight", [Intermediate, Hidden], expert + 30));
            }
        }

        return checkpoint;
    }
}
