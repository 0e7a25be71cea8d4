using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Tensors;

namespace Weft.Convert.Tests.Quantization;

/// <summary>bitsandbytes' four bits: every number is the one that its code means times its block's factor, whether factors are numbers or codes; and what contradicts that is named.</summary>
[TestFixture]
public sealed class FourBitTests
{
    private const int BlockSize = 16;
    private const int NestedSize = 4;
    private const float Offset = 0.75f;
    private const string Matrix = "model.layers.1.mlp.up_proj.weight";
    private const string State = Matrix + ".quant_state.bitsandbytes__nf4";

    [Test]
    public void Every_number_is_its_code_s_times_its_block_s_factor([Values] bool nested)
    {
        using var scratch = new ScratchFolder();
        var (checkpoint, numbers) = Source(nested);
        checkpoint.Write(scratch["model"]);
        using var file = Conversion.Convert(scratch["model"], DataType.Float32);
        var tensor = file.Find("layers.1.feed_forward.up.weight");
        Assert.That(MemoryMarshal.Cast<byte, float>(file.Bytes(tensor, 0, (int)tensor.Length)).ToArray(), Is.EqualTo(numbers));
    }

    [TestCase("float16", DataType.Float16)]
    [TestCase("bfloat16", DataType.BFloat16)]
    public void They_become_numbers_of_the_type_that_the_config_names(string name, DataType type)
    {
        var (checkpoint, _) = Source(nested: true);
        checkpoint.Config["torch_dtype"] = name;
        Assert.That(Conversion.Header(checkpoint).Tensors.Single(tensor => tensor.Name == "layers.1.feed_forward.up.weight").DataType, Is.EqualTo(type));
    }

    [TestCase(".absmax")]
    [TestCase(".quant_map")]
    [TestCase(".nested_absmax")]
    [TestCase(".nested_quant_map")]
    [TestCase("")]
    public void A_missing_part_is_named(string last)
    {
        var (checkpoint, _) = Source(nested: true);
        checkpoint.Tensors.RemoveAll(tensor => tensor.Name == Matrix + last);
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain($"'{Matrix}' is quantized to four bits, but its tensor '{Matrix}{last}' is missing"));
    }

    [TestCase("{", "does not describe a matrix of four bits")]
    [TestCase("{\"shape\":[12,8]}", "does not describe a matrix of four bits")]
    [TestCase("{\"shape\":[12,8],\"blocksize\":0}", "does not describe a matrix of four bits")]
    [TestCase("{\"shape\":[12,-8],\"blocksize\":16}", "does not describe a matrix of four bits")]
    [TestCase("{\"shape\":[12,8],\"blocksize\":16,\"nested_blocksize\":0,\"nested_offset\":0}", "does not describe a matrix of four bits")]
    [TestCase("{\"shape\":[12,9],\"blocksize\":16}", "which is not two codes a byte of [12, 9] weights in blocks of 16")]
    [TestCase("{\"shape\":[12,8],\"blocksize\":10}", "which is not two codes a byte of [12, 8] weights in blocks of 10")]
    [TestCase("{\"shape\":[8,12],\"blocksize\":16}", "has the shape [8, 12], but the config asks for [12, 8]")]
    [TestCase("{\"shape\":[12,8],\"blocksize\":16}", "absmax' holds UInt8 of the shape [6], but 6 of Float32 are expected")]
    [TestCase("{\"shape\":[12,8],\"blocksize\":8,\"nested_blocksize\":4,\"nested_offset\":0}", "absmax' holds UInt8 of the shape [6], but 12 of UInt8 are expected")]
    [TestCase("{\"shape\":[12,8],\"blocksize\":16,\"nested_blocksize\":2,\"nested_offset\":0}", "nested_absmax' holds Float32 of the shape [2], but 3 of Float32 are expected")]
    public void A_description_that_makes_no_sense_is_refused(string json, string message)
    {
        var (checkpoint, _) = Source(nested: true);
        checkpoint.Replace(State, tensor => tensor with { Shape = [json.Length], Bytes = Encoding.UTF8.GetBytes(json) });
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain(message));
    }

    [TestCase(".nested_absmax", "nested_absmax' holds NaN or infinity at element 1")]
    [TestCase(".quant_map", "quant_map' holds NaN or infinity at element 1")]
    public void A_factor_that_is_no_number_is_named(string last, string message)
    {
        var (checkpoint, _) = Source(nested: true);
        checkpoint.Replace(Matrix + last, tensor => tensor with { Bytes = [.. tensor.Bytes[..4], .. BitConverter.GetBytes(float.NaN), .. tensor.Bytes[8..]] });
        Assert.That(Conversion.Refusal(checkpoint), Does.Contain(message));
    }

    /// <summary>One matrix in four bits, with the numbers that its codes stand for.</summary>
    private static (TinyCheckpoint Checkpoint, float[] Numbers) Source(bool nested)
    {
        var random = new Random(7);
        var checkpoint = new TinyCheckpoint();
        checkpoint.Config["quantization_config"] = new JsonObject { ["quant_method"] = "bitsandbytes", ["load_in_4bit"] = true, ["bnb_4bit_quant_type"] = "nf4" };
        int[] shape = [TinyCheckpoint.Intermediate, TinyCheckpoint.Hidden];
        var count = shape[0] * shape[1];
        float[] Random(int size) => [.. Enumerable.Range(0, size).Select(_ => (random.NextSingle() * 2) - 1)];
        var (codes, map, factors) = (Enumerable.Range(0, count).Select(_ => random.Next(16)).ToArray(), Random(16), Random(count / BlockSize));
        var state = new JsonObject { ["quant_type"] = "nf4", ["blocksize"] = BlockSize, ["dtype"] = "float16", ["shape"] = new JsonArray(shape[0], shape[1]) };
        checkpoint.Tensors.RemoveAll(tensor => tensor.Name == Matrix);
        checkpoint.Tensors.Add(new(Matrix, "U8", [count / 2, 1], [.. codes.Chunk(2).Select(pair => (byte)((pair[0] << 4) | pair[1]))]));
        AddNumbers(".quant_map", map);
        if (nested)
        {
            var (indices, own, factorMap) = (new byte[factors.Length], Random((factors.Length + NestedSize - 1) / NestedSize), Random(256));
            random.NextBytes(indices);
            for (var i = 0; i < factors.Length; i++)
                factors[i] = (factorMap[indices[i]] * own[i / NestedSize]) + Offset;
            checkpoint.Tensors.Add(new(Matrix + ".absmax", "U8", [indices.Length], indices));
            AddNumbers(".nested_absmax", own);
            AddNumbers(".nested_quant_map", factorMap);
            (state["nested_blocksize"], state["nested_offset"]) = (NestedSize, Offset);
        }
        else
        {
            AddNumbers(".absmax", factors);
        }

        var json = Encoding.UTF8.GetBytes(state.ToJsonString());
        checkpoint.Tensors.Add(new(State, "U8", [json.Length], json));
        return (checkpoint, [.. codes.Select((code, i) => map[code] * factors[i / BlockSize])]);

        void AddNumbers(string last, float[] numbers) => checkpoint.Tensors.Add(new(Matrix + last, "F32", [numbers.Length], MemoryMarshal.AsBytes(numbers.AsSpan()).ToArray()));
    }
}
