using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Weft.Convert.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Convert.Tests;

/// <summary>
/// LoRA adapters: a matrix becomes W + scale · B · A, whatever an adapter calls its scale and however it is stored; learned prompts become tables; and adapters that are not
/// what they should be.
/// </summary>
[TestFixture]
public sealed class AdapterTests
{
    private const int Rank = 3;
    private const int Tokens = 3;
    private const string Matrix = "model.layers.1.mlp.up_proj";

    [TestCase("lora_alpha", 6.0, 2f)]
    [TestCase("use_rslora", true, 6 / 1.7320508f)]
    [TestCase("alpha_pattern", """{"mlp.up_proj": 9}""", 3f)]
    [TestCase("alpha_pattern", """{"proj": 9}""", 2f)]
    public void A_matrix_takes_its_factors_in(string member, object value, float scale)
    {
        using var scratch = new ScratchFolder();
        var (checkpoint, config, factors) = Create();
        config[member] = value is string json ? JsonNode.Parse(json) : JsonValue.Create(value);
        Write(scratch, checkpoint, config, factors);
        var (w, a, b) = (Numbers(checkpoint[Matrix + ".weight"]), Numbers(factors[0]), Numbers(factors[1]));
        var expected = new double[w.Length];
        for (var i = 0; i < w.Length; i++)
        {
            var (row, column) = (i / TinyCheckpoint.Hidden, i % TinyCheckpoint.Hidden);
            expected[i] = w[i] + (scale * Enumerable.Range(0, Rank).Sum(r => (double)b[(row * Rank) + r] * a[(r * TinyCheckpoint.Hidden) + column]));
        }

        using var file = Conversion.Convert(scratch["adapter"], DataType.Float32);
        using var original = Conversion.Convert(scratch["base"], DataType.Float32);
        foreach (var tensor in file.Header.Tensors)
        {
            var actual = MemoryMarshal.Cast<byte, float>(file.Bytes(tensor, 0, (int)tensor.Length)).ToArray();
            if (tensor.Name == "layers.1.feed_forward.up.weight")
                Assert.That(actual.Zip(expected, (x, y) => Math.Abs(x - y)).Max(), Is.LessThan(1e-5));
            else
                Assert.That(actual, Is.EqualTo(MemoryMarshal.Cast<byte, float>(original.Bytes(original.Find(tensor.Name), 0, (int)tensor.Length)).ToArray()), tensor.Name);
        }

        Assert.That(file.Header.Provenance.Sources.Select(source => source.Name), Is.SupersetOf(new[] { "config.json", "model.safetensors", "adapter_config.json", "adapter_model.safetensors" }));
    }

    [Test]
    public void Numbers_stay_in_the_checkpoint_s_type()
    {
        using var scratch = new ScratchFolder();
        var (checkpoint, config, factors) = Create();
        Write(scratch, checkpoint, config, factors);
        using var file = Conversion.Convert(scratch["adapter"]);
        Assert.That(file.Find("layers.1.feed_forward.up.weight").DataType, Is.EqualTo(DataType.BFloat16));
    }

    [TestCase("peft_type", "IA3", "adapters of the kind 'IA3' are not supported; those of the kinds LORA, PROMPT_TUNING, P_TUNING and PREFIX_TUNING are")]
    [TestCase("peft_type", null, "adapters of the kind '' are not supported")]
    [TestCase("use_dora", true, "'use_dora'")]
    [TestCase("bias", "all", "'bias' is 'all'; adapters that change biases are not supported")]
    [TestCase("base_model_name_or_path", null, "'base_model_name_or_path' is missing")]
    [TestCase("base_model_name_or_path", "some/where", "and there is no such folder; set 'base_model_name_or_path' to where it is")]
    [TestCase("base_model_name_or_path", ".", "and there is no such folder")]
    [TestCase("fan_in_fan_out", true, "are no factors of 'model.layers.1.mlp.up_proj.weight' [12, 8]")]
    public void A_config_that_makes_no_sense_is_refused(string member, object? value, string message)
    {
        using var scratch = new ScratchFolder();
        var (checkpoint, config, factors) = Create();
        config[member] = value is null ? null : JsonValue.Create(value);
        Write(scratch, checkpoint, config, factors);
        Assert.That(Conversion.Refusal(scratch["adapter"]), Does.Contain(message));
    }

    [TestCase("base_model.model.model.layers.7.mlp.up_proj.lora_A.weight", "is for 'model.layers.7.mlp.up_proj.weight', which the checkpoint does not have")]
    [TestCase("base_model.model.lm_head.weight", "is no factor of a matrix (lora_A, lora_B), which adapters consist of")]
    [TestCase("base_model.model.model.layers.0.mlp.up_proj.lora_A.weight", "has no counterpart, its lora_B")]
    public void Tensors_that_make_no_sense_are_refused(string name, string message)
    {
        using var scratch = new ScratchFolder();
        var (checkpoint, config, factors) = Create();
        factors.Add(factors[0] with { Name = name });
        if (name.Contains("layers.7", StringComparison.Ordinal))
            factors.Add(factors[1] with { Name = name.Replace("lora_A", "lora_B", StringComparison.Ordinal) });
        Write(scratch, checkpoint, config, factors);
        Assert.That(Conversion.Refusal(scratch["adapter"]), Does.Contain(message));
    }

    [TestCase("PROMPT_TUNING")]
    [TestCase("P_TUNING")]
    public void Embeddings_of_virtual_tokens_become_a_table(string kind)
    {
        using var scratch = new ScratchFolder();
        var table = WritePrompt(scratch, new(), kind, TinyCheckpoint.Hidden);
        using var file = Conversion.Convert(scratch["adapter"]);
        Assert.That(file.Header.Model.VirtualTokens, Is.EqualTo(new VirtualTokensDescription { Count = Tokens }));
        Assert.That(file.Bytes(file.Find("virtual_tokens.weight"), 0, table.Bytes.Length).ToArray(), Is.EqualTo(table.Bytes));
    }

    [Test]
    public void Keys_of_virtual_tokens_become_a_table_a_layer()
    {
        const int Width = 2 * TinyCheckpoint.KeyValue;
        using var scratch = new ScratchFolder();
        var table = Numbers(WritePrompt(scratch, new(), "PREFIX_TUNING", TinyCheckpoint.Layers * Width));
        using var file = Conversion.Convert(scratch["adapter"], DataType.Float32);
        Assert.That(file.Header.Model.VirtualTokens, Is.EqualTo(new VirtualTokensDescription { Count = Tokens, Keys = true }));
        for (var layer = 0; layer < TinyCheckpoint.Layers; layer++)
        {
            var tensor = file.Find($"virtual_tokens.{layer}.weight");
            var expected = Enumerable.Range(0, Tokens).SelectMany(token => table[(((token * TinyCheckpoint.Layers) + layer) * Width)..(((token * TinyCheckpoint.Layers) + layer + 1) * Width)]);
            Assert.That(MemoryMarshal.Cast<byte, float>(file.Bytes(tensor, 0, (int)tensor.Length)).ToArray(), Is.EqualTo(expected));
        }
    }

    [TestCase("PROMPT_TUNING", "num_virtual_tokens", null, TinyCheckpoint.Hidden, "'num_virtual_tokens' is missing")]
    [TestCase("PROMPT_TUNING", "num_virtual_tokens", 4, TinyCheckpoint.Hidden, "tensor 'prompt_embeddings' has the shape [3, 8], but 4 virtual tokens of this checkpoint are [4, 8]")]
    [TestCase("PREFIX_TUNING", "num_virtual_tokens", 4, 16, "tensor 'prompt_embeddings' has the shape [3, 16], but 4 virtual tokens of this checkpoint are [4, 16]")]
    [TestCase("PROMPT_TUNING", "num_virtual_tokens", 0, TinyCheckpoint.Hidden, "adapter_config.json: the number of virtual tokens must be positive")]
    [TestCase("PROMPT_TUNING", "num_virtual_tokens", -5, TinyCheckpoint.Hidden, "the number of virtual tokens must be positive")]
    [TestCase("PROMPT_TUNING", "num_virtual_tokens", 100_000, TinyCheckpoint.Hidden, "adapter_config.json: 100000 virtual tokens leave no room for a text in a context of")]
    [TestCase("PROMPT_TUNING", "num_layers", 2, 7, "tensor 'prompt_embeddings' has the shape [3, 7], but 3 virtual tokens of this checkpoint are [3, 8]")]
    [TestCase("PREFIX_TUNING", "num_layers", 2, 15, "tensor 'prompt_embeddings' has the shape [3, 15], but 3 virtual tokens of this checkpoint are [3, 16]")]
    public void A_learned_prompt_for_another_model_is_refused(string kind, string member, object? value, int width, string message)
    {
        using var scratch = new ScratchFolder();
        WritePrompt(scratch, new(), kind, width, config => config[member] = value is null ? null : JsonValue.Create(value));
        Assert.That(Conversion.Refusal(scratch["adapter"]), Does.Contain(message));
    }

    [Test]
    public void A_key_that_is_too_large_for_the_type_asked_for_is_refused()
    {
        using var scratch = new ScratchFolder();
        Write(scratch, new(), new() { ["peft_type"] = "PREFIX_TUNING", ["base_model_name_or_path"] = "../base", ["num_virtual_tokens"] = Tokens },
            [TinyTensor.Of("prompt_embeddings", [Tokens, TinyCheckpoint.Layers * 2 * TinyCheckpoint.KeyValue], () => 70_000)]);
        Assert.That(Conversion.Refusal(scratch["adapter"], DataType.Float16), Does.Contain("tensor 'prompt_embeddings' holds a number").And.Contain("too large for f16"));
    }

    [TestCase("prompt", "the adapter's file has no tensor 'prompt_embeddings'")]
    [TestCase("prompt_embeddings", "tensor 'other' is no part of a learned prompt")]
    public void Tensors_that_are_no_learned_prompt_are_refused(string name, string message)
    {
        using var scratch = new ScratchFolder();
        WritePrompt(scratch, new(), "PROMPT_TUNING", TinyCheckpoint.Hidden, null, name, "other");
        Assert.That(Conversion.Refusal(scratch["adapter"]), Does.Contain(message));
    }

    [Test]
    public void Embeddings_for_a_model_that_scales_them_are_refused()
    {
        using var scratch = new ScratchFolder();
        var checkpoint = new TinyCheckpoint();
        checkpoint.Config["architectures"] = new JsonArray("GemmaForCausalLM");
        checkpoint.Config["model_type"] = "gemma";
        checkpoint.Config["hidden_activation"] = "gelu_pytorch_tanh";
        WritePrompt(scratch, checkpoint, "PROMPT_TUNING", TinyCheckpoint.Hidden);
        Assert.That(Conversion.Refusal(scratch["adapter"]), Does.Contain("it has embeddings for a model that scales those of its tokens"));
    }

    private static TinyTensor WritePrompt(
        ScratchFolder scratch, TinyCheckpoint checkpoint, string kind, int width, Action<JsonObject>? change = null, params string[] names)
    {
        var config = new JsonObject { ["peft_type"] = kind, ["base_model_name_or_path"] = "../base", ["num_virtual_tokens"] = Tokens };
        change?.Invoke(config);
        var tensors = names.DefaultIfEmpty("prompt_embeddings").Select((name, i) => TinyTensor.Random(name, [Tokens, width], 60 + i)).ToList();
        Write(scratch, checkpoint, config, tensors);
        return tensors[0];
    }

    private static (TinyCheckpoint Checkpoint, JsonObject Config, List<TinyTensor> Factors) Create() => (
        new(),
        new() { ["peft_type"] = "LORA", ["base_model_name_or_path"] = "../base", ["r"] = Rank, ["lora_alpha"] = 6, ["bias"] = "none" },
        [
            TinyTensor.Random($"base_model.model.{Matrix}.lora_A.weight", [Rank, TinyCheckpoint.Hidden], 50),
            TinyTensor.Random($"base_model.model.{Matrix}.lora_B.weight", [TinyCheckpoint.Intermediate, Rank], 51),
        ]);

    private static void Write(ScratchFolder scratch, TinyCheckpoint checkpoint, JsonObject config, List<TinyTensor> factors)
    {
        checkpoint.Write(scratch["base"]);
        Directory.CreateDirectory(scratch["adapter"]);
        File.WriteAllText(Path.Combine(scratch["adapter"], "adapter_config.json"), config.ToJsonString());
        using var file = File.Create(Path.Combine(scratch["adapter"], "adapter_model.safetensors"));
        SafetensorsWriter.WriteHeader(file, factors.Select(tensor => new SafetensorsWriter.Row(tensor.Name, tensor.Type, tensor.Shape, tensor.Bytes.Length)));
        foreach (var tensor in factors)
            file.Write(tensor.Bytes);
    }

    private static float[] Numbers(TinyTensor tensor) => [.. MemoryMarshal.Cast<byte, ushort>(tensor.Bytes).ToArray().Select(bits => BitConverter.UInt32BitsToSingle((uint)bits << 16))];
}
