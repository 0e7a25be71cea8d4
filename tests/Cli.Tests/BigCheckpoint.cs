using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Weft.Cli.Tests;

/// <summary>Makes a LLaMA checkpoint of 1.5 GB that takes no disk space (the file is a hole): long enough to be interrupted.</summary>
internal static class BigCheckpoint
{
    private const int Vocabulary = 64;
    private const int Hidden = 4096;
    private const int Intermediate = 8192;
    private const int Layers = 4;

    public static void Create(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), $$"""
            {"architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":{{Vocabulary}},"hidden_size":{{Hidden}},
             "intermediate_size":{{Intermediate}},"num_hidden_layers":{{Layers}},"num_attention_heads":32,"num_key_value_heads":32,
             "max_position_embeddings":256,"rms_norm_eps":1e-05,"rope_theta":10000.0,"hidden_act":"silu","tie_word_embeddings":true,
             "bos_token_id":0,"eos_token_id":1,"torch_dtype":"bfloat16"}
            """);
        var (header, end) = (new StringBuilder("{"), 0L);
        foreach (var (name, shape) in Tensors())
        {
            var bytes = 2 * shape.Aggregate(1L, (product, size) => product * size);
            header.Append(end == 0 ? "" : ",").Append(
                CultureInfo.InvariantCulture,
                $"\"{name}\":{{\"dtype\":\"BF16\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{end},{end + bytes}]}}");
            end += bytes;
        }

        var json = Encoding.UTF8.GetBytes(header.Append('}').ToString());
        using var file = File.Create(Path.Combine(folder, "model.safetensors"));
        Span<byte> length = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)json.Length);
        file.Write(length);
        file.Write(json);
        file.SetLength(file.Length + end);
    }

    private static IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        yield return ("model.embed_tokens.weight", [Vocabulary, Hidden]);
        yield return ("model.norm.weight", [Hidden]);
        for (var layer = 0; layer < Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            yield return (prefix + "input_layernorm.weight", [Hidden]);
            yield return (prefix + "post_attention_layernorm.weight", [Hidden]);
            foreach (var name in (string[])["q_proj", "k_proj", "v_proj", "o_proj"])
                yield return ($"{prefix}self_attn.{name}.weight", [Hidden, Hidden]);
            yield return (prefix + "mlp.gate_proj.weight", [Intermediate, Hidden]);
            yield return (prefix + "mlp.up_proj.weight", [Intermediate, Hidden]);
            yield return (prefix + "mlp.down_proj.weight", [Hidden, Intermediate]);
        }
    }
}
