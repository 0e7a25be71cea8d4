using System.Text.Json.Nodes;
using Weft.Reference;

namespace Weft.Convert.Tests.Support;

/// <summary>A Llama checkpoint of 622 MB, made in no time: its data is a hole in the file, which reads as zeros.</summary>
internal static class LargeCheckpoint
{
    /// <summary>Bytes of the embedding and of the head.</summary>
    public const long LargestTensor = 2L * Vocabulary * Hidden;

    private const int Vocabulary = 25600;
    private const int Hidden = 2048;
    private const int Intermediate = 5632;
    private const int Layers = 4;

    public static void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"),
            ["vocab_size"] = Vocabulary,
            ["hidden_size"] = Hidden,
            ["intermediate_size"] = Intermediate,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = 32,
        };
        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        using var file = File.Create(Path.Combine(folder, "model.safetensors"));
        var rows = Tensors().Select(tensor => new SafetensorsWriter.Row(tensor.Name, "BF16", tensor.Shape, 2L * tensor.Shape.Aggregate(1, (a, b) => a * b))).ToList();
        SafetensorsWriter.WriteHeader(file, rows);
        file.SetLength(file.Length + rows.Sum(row => row.Bytes));
    }

    private static IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        yield return ("model.embed_tokens.weight", [Vocabulary, Hidden]);
        yield return ("model.norm.weight", [Hidden]);
        yield return ("lm_head.weight", [Vocabulary, Hidden]);
        for (var layer = 0; layer < Layers; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            yield return (prefix + "input_layernorm.weight", [Hidden]);
            yield return (prefix + "post_attention_layernorm.weight", [Hidden]);
            foreach (var name in new[] { "q_proj", "k_proj", "v_proj", "o_proj" })
                yield return ($"{prefix}self_attn.{name}.weight", [Hidden, Hidden]);
            yield return (prefix + "mlp.gate_proj.weight", [Intermediate, Hidden]);
            yield return (prefix + "mlp.up_proj.weight", [Intermediate, Hidden]);
            yield return (prefix + "mlp.down_proj.weight", [Hidden, Intermediate]);
        }
    }
}
