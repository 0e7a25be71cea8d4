using System.Text.Json.Nodes;
using Weft.Reference;

namespace Weft.Convert.Tests.Support;

/// <summary>A Llama checkpoint of a few kilobytes in memory, for a test to spoil or to spell in another way before it is written.</summary>
internal sealed class TinyCheckpoint
{
    public const int Vocabulary = 10;
    public const int Hidden = 8;
    public const int KeyValue = 4;
    public const int Intermediate = 12;
    public const int Layers = 2;

    /// <summary>What config.json will say.</summary>
    public JsonObject Config { get; } = new()
    {
        ["architectures"] = new JsonArray("LlamaForCausalLM"),
        ["vocab_size"] = Vocabulary,
        ["hidden_size"] = Hidden,
        ["intermediate_size"] = Intermediate,
        ["num_hidden_layers"] = Layers,
        ["num_attention_heads"] = 2,
        ["num_key_value_heads"] = 1,
        ["max_position_embeddings"] = 64,
        ["rms_norm_eps"] = 1e-5,
        ["tie_word_embeddings"] = false,
        ["bos_token_id"] = 1,
        ["eos_token_id"] = 2,
    };

    /// <summary>The tensors in file order.</summary>
    public List<TinyTensor> Tensors { get; } = [.. Names().Select((tensor, i) => TinyTensor.Random(tensor.Name, tensor.Shape, i))];

    /// <summary>The tensor of this name.</summary>
    public TinyTensor this[string name] => Tensors.Single(tensor => tensor.Name == name);

    /// <summary>Puts another tensor in the place of one.</summary>
    public void Replace(string name, Func<TinyTensor, TinyTensor> change) => Tensors[Tensors.IndexOf(this[name])] = change(this[name]);

    /// <summary>Gives every tensor another name.</summary>
    public void Rename(Func<string, string> name)
    {
        for (var i = 0; i < Tensors.Count; i++)
            Tensors[i] = Tensors[i] with { Name = name(Tensors[i].Name) };
    }

    /// <summary>Writes config.json and model.safetensors.</summary>
    public void Write(string folder)
    {
        WriteConfig(folder);
        WriteWeights(Path.Combine(folder, "model.safetensors"), Tensors);
    }

    /// <summary>Writes config.json, the weights in two shards and their index.</summary>
    public void WriteSharded(string folder)
    {
        WriteConfig(folder);
        var (map, half) = (new JsonObject(), Tensors.Count / 2);
        foreach (var (name, part) in new[] { ("one.safetensors", Tensors[..half]), ("two.safetensors", Tensors[half..]) })
        {
            WriteWeights(Path.Combine(folder, name), part);
            foreach (var tensor in part)
                map[tensor.Name] = name;
        }

        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), new JsonObject { ["weight_map"] = map }.ToJsonString());
    }

    private void WriteConfig(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), Config.ToJsonString());
    }

    private static void WriteWeights(string path, IReadOnlyList<TinyTensor> tensors)
    {
        using var file = File.Create(path);
        SafetensorsWriter.WriteHeader(file, tensors.Select(tensor => new SafetensorsWriter.Row(tensor.Name, tensor.Type, tensor.Shape, tensor.Bytes.Length)));
        foreach (var tensor in tensors)
            file.Write(tensor.Bytes);
    }

    private static IEnumerable<(string Name, int[] Shape)> Names()
    {
        yield return ("model.embed_tokens.weight", [Vocabulary, Hidden]);
        for (var layer = 0; layer < Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            yield return (prefix + "input_layernorm.weight", [Hidden]);
            yield return (prefix + "self_attn.q_proj.weight", [Hidden, Hidden]);
            yield return (prefix + "self_attn.k_proj.weight", [KeyValue, Hidden]);
            yield return (prefix + "self_attn.v_proj.weight", [KeyValue, Hidden]);
            yield return (prefix + "self_attn.o_proj.weight", [Hidden, Hidden]);
            yield return (prefix + "post_attention_layernorm.weight", [Hidden]);
            yield return (prefix + "mlp.gate_proj.weight", [Intermediate, Hidden]);
            yield return (prefix + "mlp.up_proj.weight", [Intermediate, Hidden]);
            yield return (prefix + "mlp.down_proj.weight", [Hidden, Intermediate]);
        }

        yield return ("model.norm.weight", [Hidden]);
        yield return ("lm_head.weight", [Vocabulary, Hidden]);
    }
}

/// <summary>A tensor as it will stand in a safetensors file.</summary>
internal sealed record TinyTensor(string Name, string Type, int[] Shape, byte[] Bytes)
{
    /// <summary>bf16 numbers between −1 and 1.</summary>
    public static TinyTensor Random(string name, int[] shape, int seed)
    {
        var random = new Random(seed);
        return Of(name, shape, () => (random.NextSingle() * 2) - 1);
    }

    /// <summary>bf16 numbers, cut off.</summary>
    public static TinyTensor Of(string name, int[] shape, Func<float> value) => new(
        name, "BF16", shape, [.. Enumerable.Range(0, shape.Aggregate(1, (product, size) => product * size)).SelectMany(_ => BFloat16(value()))]);

    /// <summary>The same with one element replaced.</summary>
    public TinyTensor With(int element, float value)
    {
        var bytes = Bytes.ToArray();
        BFloat16(value).CopyTo(bytes, 2 * element);
        return this with { Bytes = bytes };
    }

    /// <summary>Some of its rows.</summary>
    public TinyTensor Part(string name, int first, int count)
    {
        var row = Bytes.Length / Shape[0];
        return new(name, Type, [count, .. Shape[1..]], Bytes[(first * row)..((first + count) * row)]);
    }

    /// <summary>All rows of one after all rows of the other.</summary>
    public static TinyTensor Joined(string name, params IReadOnlyList<TinyTensor> parts) =>
        new(name, parts[0].Type, [parts.Sum(part => part.Shape[0]), .. parts[0].Shape[1..]], [.. parts.SelectMany(part => part.Bytes)]);

    /// <summary>A matrix [out, in] of bf16 as [in, out]; a vector as it is.</summary>
    public TinyTensor Transposed() => Shape is not [var rows, var columns] ? this : this with
    {
        Shape = [columns, rows],
        Bytes = [.. Enumerable.Range(0, columns).SelectMany(column => Enumerable.Range(0, rows).SelectMany(row => Bytes[(2 * ((row * columns) + column))..((2 * ((row * columns) + column)) + 2)]))],
    };

    private static byte[] BFloat16(float value) => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
}
