using System.Text.Json;
using Weft.Models;
using Weft.Reference;

namespace Weft.Runtime.Tests;

/// <summary>
/// A LLaMA-like golden as description and tensors, read here by the shortest path from its config: the reference must not depend on
/// the converter that is tested against it.
/// </summary>
internal static class GoldenModel
{
    private static readonly (string Theirs, string Ours)[] Names =
    [
        ("model.embed_tokens", "embedding"), ("lm_head", "head"), ("model.norm", "final_norm"), ("model.layers", "layers"),
        ("self_attn.q_proj", "attention.query"), ("self_attn.k_proj", "attention.key"), ("self_attn.v_proj", "attention.value"),
        ("self_attn.o_proj", "attention.output"), ("input_layernorm", "attention_norm"), ("post_attention_layernorm", "feed_forward_norm"),
        ("mlp.gate_proj", "feed_forward.gate"), ("mlp.up_proj", "feed_forward.up"), ("mlp.down_proj", "feed_forward.down"),
    ];

    /// <summary>Reads the checkpoint in <paramref name="folder"/>.</summary>
    public static (ModelDescription Model, Dictionary<string, double[]> Tensors) Load(string folder)
    {
        var tensors = SafetensorsReader.Read(Path.Combine(folder, "model.safetensors")).ToDictionary(t => Rename(t.Key), t => t.Value);
        using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "config.json")));
        return (Describe(config.RootElement, tensors), tensors);
    }

    private static string Rename(string name) => Names.Aggregate(name, (n, pair) => n.Replace(pair.Theirs, pair.Ours, StringComparison.Ordinal));

    private static ModelDescription Describe(JsonElement config, Dictionary<string, double[]> tensors)
    {
        int Int(string name) => config.GetProperty(name).GetInt32();
        var (c, heads) = (Int("hidden_size"), Int("num_attention_heads"));
        var d = config.TryGetProperty("head_dim", out var headSize) ? headSize.GetInt32() : c / heads;
        var norm = new NormDescription { Kind = NormKind.Rms, Epsilon = config.GetProperty("rms_norm_eps").GetSingle() };
        var layer = new LayerDescription
        {
            AttentionNorm = norm,
            FeedForwardNorm = norm,
            Attention = new()
            {
                QueryHeads = heads,
                KeyValueHeads = Int("num_key_value_heads"),
                HeadSize = d,
                Scale = (float)(1 / Math.Sqrt(d)),
                InputBias = tensors.ContainsKey("layers.0.attention.query.bias"),
                OutputBias = tensors.ContainsKey("layers.0.attention.output.bias"),
                Window = config.TryGetProperty("sliding_window", out var w) && w.ValueKind == JsonValueKind.Number ? w.GetInt32() : null,
                Rotary = new() { Theta = config.GetProperty("rope_theta").GetDouble(), Scaling = Scaling(config.GetProperty("rope_scaling")) },
            },
            FeedForward = new() { IntermediateSize = Int("intermediate_size"), Activation = Activation.Silu },
        };
        return new ModelDescription
        {
            VocabularySize = Int("vocab_size"),
            HiddenSize = c,
            ContextLength = Int("max_position_embeddings"),
            Layers = [.. Enumerable.Repeat(layer, Int("num_hidden_layers"))],
            FinalNorm = norm,
            Head = new() { Tied = config.GetProperty("tie_word_embeddings").GetBoolean() },
        };
    }

    private static RotaryScaling? Scaling(JsonElement scaling)
    {
        if (scaling.ValueKind != JsonValueKind.Object)
            return null;
        double Number(string name) => scaling.GetProperty(name).GetDouble();
        var common = new RotaryScaling
        {
            Kind = RotaryScalingKind.Llama3,
            Factor = Number("factor"),
            OriginalContextLength = scaling.GetProperty("original_max_position_embeddings").GetInt32(),
        };
        return scaling.GetProperty("rope_type").GetString() == "llama3"
            ? common with { LowFrequencyFactor = Number("low_freq_factor"), HighFrequencyFactor = Number("high_freq_factor") }
            : common with { Kind = RotaryScalingKind.Yarn, BetaFast = 32, BetaSlow = 1, AttentionFactor = 1 + (0.1 * Math.Log(Number("factor"))) };
    }
}
